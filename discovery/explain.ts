import type { PreservationState } from './registry/self-preservation.ts';

/** Says in words whether eviction is paused, and why. */
export function explainPreservation(state: PreservationState, maxHoldMs: number): string {
  switch (state.state) {
    case 'off':
      return 'Leases end on time.';
    case 'ending': {
      const until = new Date(state.untilMs).toISOString();
      return `What paused eviction is over. ${leases(state.held)} kept until ${until}.`;
    }
    case 'on': {
      const whys = state.reasons.map(reason =>
        reason === 'many-leases-late'
          ? `${state.late} of ${state.expected} leases missed a renewal, which looks like a cut network rather than ${state.late} crashes`
          : 'a peer that renews leases here cannot be reached',
      );
      return `Eviction is paused: ${whys.join('; ')}. ${leases(state.held)} kept, none for more than ${maxHoldMs / 1000} s past its end.`;
    }
    default:
      return state satisfies never;
  }
}

function leases(count: number): string {
  return count === 1 ? '1 expired lease is' : `${count} expired leases are`;
}
