import type { CodegenInput } from '../../platform/graphql/codegen-input.ts';

/** Input of the code generation (`codegen.ts` at the root). */
export const codegenInput: CodegenInput = {
  mappers: {
    Notification: '../store.ts#NotificationRow',
    NotificationsMissed: '../live-feeds.ts#MissedNotifications',
    NotificationEvent: '../live-feeds.ts#FeedEvent',
  },
};
