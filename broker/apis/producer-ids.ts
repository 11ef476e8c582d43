import { randomInt } from 'node:crypto';
import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { type Api, noThrottleMs } from './api.ts';

/** So many ids that two producers never draw the same, in this run of the broker or any other. */
const producerIds = 2 ** 48 - 1;
const firstEpoch = 0;

/** Gives an id to an idempotent producer. Transactions are not to be had. */
export const initProducerId: Api = {
  key: 22,
  name: 'InitProducerId',
  versions: [0, 1],
  handle({ reader }) {
    const writer = new Writer().int32(noThrottleMs);
    const isTransactional = reader.nullableString() !== null;
    if (isTransactional) return writer.int16(ErrorCode.INVALID_REQUEST).int64(-1).int16(-1);
    return writer.int16(ErrorCode.NONE).int64(randomInt(producerIds)).int16(firstEpoch);
  },
};
