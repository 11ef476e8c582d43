/**
 * The time in ms since 1970, with a fraction, by a clock that nobody sets: it began with the process at the system's
 * time, and a step of that time afterwards ends no lease.
 */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
