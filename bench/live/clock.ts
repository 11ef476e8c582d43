/** Time of the clock that all processes of a machine share and nobody sets, in ms. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
