import { describe } from 'vitest';
import { describeKafkaContract } from './contract.ts';

const brokers = process.env['KAFKA_BROKERS'];
if (!brokers)
  console.log(
    'Skipped: the contract with Apache Kafka, as KAFKA_BROKERS names none (npm run test:kafka starts one)',
  );

describe.skipIf(!brokers)('Apache Kafka', () => {
  describeKafkaContract('Apache Kafka', () => brokers?.split(',') ?? []);
});
