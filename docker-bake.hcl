# Both images on both bases. `npm run images` fills in the variables from the repository and runs it; by hand:
#
#   docker buildx bake --print
#   REGISTRY=registry.example.org/team docker buildx bake --push
#
# What is built here is for a registry: an index of platforms with attestations, which Docker's own store of images may not
# be able to hold. LOCAL=true builds for this machine alone, without them.

variable "REGISTRY" { default = "" }
variable "VERSION" { default = "unknown" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "1970-01-01T00:00:00Z" }
variable "SOURCE" { default = "" }
# Tags beside the version and the commit, comma-separated.
variable "TAGS" { default = "latest" }
variable "LOCAL" { default = false }
# Time of every file in the layers, and of the image, in seconds: equal sources make equal layers.
variable "SOURCE_DATE_EPOCH" { default = "0" }

function "tags" {
  params = [image, suffix]
  result = [
    for tag in distinct(compact(concat([VERSION, REVISION], split(",", TAGS)))) :
    "${REGISTRY == "" ? "" : "${REGISTRY}/"}${image}:${tag}${suffix}"
  ]
}

group "default" {
  targets = ["front", "shop", "front-distroless", "shop-distroless"]
}

target "_image" {
  context    = "."
  dockerfile = "Dockerfile"
  platforms  = LOCAL ? [] : ["linux/amd64", "linux/arm64"]
  attest     = LOCAL ? [] : ["type=provenance,mode=max", "type=sbom"]
  output     = LOCAL ? ["type=docker"] : ["type=image,rewrite-timestamp=true"]
  args = {
    VERSION           = VERSION
    REVISION          = REVISION
    CREATED           = CREATED
    SOURCE            = SOURCE
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
}

target "front" {
  inherits = ["_image"]
  target   = "front"
  tags     = tags("portico", "")
}

target "shop" {
  inherits = ["_image"]
  target   = "shop"
  tags     = tags("portico-shop", "")
}

target "front-distroless" {
  inherits = ["front"]
  args     = { BASE = "distroless" }
  tags     = tags("portico", "-distroless")
}

target "shop-distroless" {
  inherits = ["shop"]
  args     = { BASE = "distroless" }
  tags     = tags("portico-shop", "-distroless")
}
