/** Header by which a client asks for the cost of its operation, whatever its value. */
export const costHeader = 'x-graphql-cost';

/** Costs of one operation; the names are those of Shopify's `extensions.cost`. */
export interface ReportedCosts {
  /** Estimated before the operation ran. */
  readonly requestedQueryCost?: number;
  /** Counted in what the answer has. */
  readonly actualQueryCost?: number;
}

/** Report of what one operation costs, for its client. */
export class CostReport {
  #costs: ReportedCosts = {};

  get costs(): ReportedCosts {
    return this.#costs;
  }

  note(costs: ReportedCosts): void {
    this.#costs = { ...this.#costs, ...costs };
  }
}
