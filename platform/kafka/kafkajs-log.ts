import kafkajs, { type LogEntry } from 'kafkajs';

/**
 * Severity of a line of kafkajs. It calls what it tries again an error, and what a broker answers while another one
 * takes its place.
 */
export function severityOf({ namespace, level, log }: Pick<LogEntry, 'namespace' | 'level' | 'log'>) {
  const { message, ...fields } = log;
  // What a broker answers is told to who asked, and may be as expected: that another process made a topic first.
  if (namespace === 'Connection' && message.startsWith('Response ')) return 'debug';
  // A coordinator reads its partition before it serves: after a broker starts, and after the leader changes.
  if (message.includes('coordinator is loading') || message.includes('COORDINATOR_LOAD_IN_PROGRESS'))
    return 'debug';
  const isTriedAgain =
    'retryTime' in fields ||
    /^(?:Restarting the consumer|The coordinator is not aware|The group is rebalancing)/.test(message);
  return level <= kafkajs.logLevel.ERROR && !isTriedAgain ? 'error' : 'warn';
}
