import { DirectiveLocation, GraphQLBoolean, GraphQLDirective, GraphQLNonNull, GraphQLString } from 'graphql';

/**
 * The directive `@defer`, as the specification's draft has it.
 *
 * @see https://github.com/graphql/graphql-spec/blob/main/rfcs/DeferStream.md
 */
export const deferDirective = new GraphQLDirective({
  name: 'defer',
  description:
    'Lets a fragment come after the rest of the answer, when the client accepts an answer in parts.',
  locations: [DirectiveLocation.FRAGMENT_SPREAD, DirectiveLocation.INLINE_FRAGMENT],
  args: {
    if: {
      type: new GraphQLNonNull(GraphQLBoolean),
      defaultValue: true,
      description: 'Deferred when true.',
    },
    label: { type: GraphQLString, description: 'Tells the fragment from others; unique in the document.' },
  },
});
