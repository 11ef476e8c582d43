import { GraphQLError } from 'graphql';

/** Limits of the runs of operations. */
export interface RunLimits {
  /** Checks variables before they are coerced. @returns the error with which the operation is refused */
  checkVariables(variables: Readonly<Record<string, unknown>>): GraphQLError | undefined;
  /** Most errors of one answer. */
  readonly maxErrors: number;
  /** Largest answer. */
  readonly maxAnswerBytes: number;
  /** Is told of each answer that is larger, or that lacks errors. */
  onExceeded(code: 'MAX_ANSWER_BYTES_LIMIT' | 'MAX_ERRORS_LIMIT'): void;
}

/** Limits of a graph that is given none. */
export const defaultRunLimits: RunLimits = {
  checkVariables: () => undefined,
  maxErrors: 1_000,
  maxAnswerBytes: 67_108_864,
  onExceeded() {},
};

/** An answer is larger than it may be. Nothing more of it is made. */
export class AnswerTooLargeError extends GraphQLError {
  override readonly name = 'AnswerTooLargeError';

  constructor(maxBytes: number) {
    super(
      `The answer has more than ${maxBytes} bytes, which is the most (OPERATION_MAX_ANSWER_BYTES). Ask for fewer items, or in several operations`,
      { extensions: { code: 'MAX_ANSWER_BYTES_LIMIT', http: { status: 400 } } },
    );
  }

  /** The error of a part that comes later, at its object. */
  at(path: readonly (string | number)[]): GraphQLError {
    return new GraphQLError(this.message, { path, extensions: { code: 'MAX_ANSWER_BYTES_LIMIT' } });
  }
}
