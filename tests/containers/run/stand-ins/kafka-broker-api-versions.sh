#!/bin/bash
exec 3<> "/dev/tcp/${2%:*}/${2#*:}"
