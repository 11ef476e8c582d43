import type { InstanceStatus } from './instance.ts';

interface StatusClaims {
  /** Status that the instance sent. */
  readonly sent: InstanceStatus;
  /** Status that an operator has set. */
  readonly override: InstanceStatus | undefined;
  /** Status that the registry shows now; undefined for an instance that it does not know, or that has changed. */
  readonly existing: InstanceStatus | undefined;
  /** True if a peer sends this, which has applied the rules already. */
  readonly replicated: boolean;
}

/**
 * Which status readers see; the first rule that applies wins. An instance that says it cannot work is believed
 * before anybody else.
 *
 * Source: `PeerAwareInstanceRegistryImpl` of Netflix/eureka, `FirstMatchWinsCompositeRule`. There, what is shown also
 * wins over an instance that has changed its mind since, so that it stays out of service for ever (Netflix/eureka#1398).
 */
export function resolveStatus({ sent, override, existing, replicated }: StatusClaims): InstanceStatus {
  if (sent !== 'UP' && sent !== 'OUT_OF_SERVICE') return sent;
  if (override !== undefined) return override;
  if (!replicated && (existing === 'UP' || existing === 'OUT_OF_SERVICE')) return existing;
  return sent;
}
