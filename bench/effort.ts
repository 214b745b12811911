/** How much is measured. */
export interface Effort {
  /** Length of one measurement of one way. */
  readonly seconds: number
  /** How often every way is measured, in turn. */
  readonly rounds: number
  /** Idle sessions whose memory is weighed. */
  readonly sessions: number
}
