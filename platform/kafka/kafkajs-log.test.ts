import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { severityOf } from './kafkajs-log.ts';

const { ERROR, WARN } = kafkajs.logLevel;
const loading = "The coordinator is loading and hence can't process requests for this group";

// As kafkajs 2.2.4 writes them.
test.each([
  ['Connection', ERROR, 'Response GroupCoordinator(key: 10, version: 2)', {}, 'debug'],
  ['Consumer', ERROR, `Crash: KafkaJSNumberOfRetriesExceeded: ${loading}`, {}, 'debug'],
  ['BrokerPool', ERROR, loading, { retryCount: 2, retryTime: 300 }, 'debug'],
  ['BrokerPool', ERROR, 'Failed to connect to broker, reconnecting', { retryTime: 300 }, 'warn'],
  ['Consumer', ERROR, 'Restarting the consumer in 300ms', {}, 'warn'],
  ['Runner', ERROR, 'The coordinator is not aware of this member, re-joining the group', {}, 'warn'],
  ['Consumer', ERROR, 'Crash: KafkaJSNonRetriableError: Not authorized to access group', {}, 'error'],
  ['SASLPlainAuthenticator', ERROR, 'SASL PLAIN authentication failed', {}, 'error'],
  ['Connection', WARN, 'something else', {}, 'warn'],
])('%s, %i: %s %j is of level %s', (namespace, level, message, fields, severity) => {
  const log = { message, timestamp: '', ...fields } as never;
  expect(severityOf({ namespace, level, log })).toBe(severity);
});
