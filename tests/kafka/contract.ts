import { describe } from 'vitest';
import { describeAdministration } from './contract/administration.ts';
import { describeGroups } from './contract/groups.ts';
import { describeProducing } from './contract/producing.ts';

/**
 * Expectations of Portico of a Kafka broker, as tests with real clients. They run over every broker that is to take
 * another's place.
 *
 * @param brokers gives the addresses, as `host:port`, once the tests run
 */
export function describeKafkaContract(name: string, brokers: () => string[]): void {
  describe(`the Kafka contract, kept by ${name}`, () => {
    describeProducing(brokers);
    describeGroups(brokers);
    describeAdministration(brokers);
  });
}
