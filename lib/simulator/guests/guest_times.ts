/** How long a guest takes, in milliseconds; each takes a little more or less. */
export interface GuestTimes {
  /** Until its network is up and it asks for its seed. */
  readonly bootMs: number;
  /** From the seed to the last module. */
  readonly setupMs: number;
  /** Between tries of a request; a second on a real guest. */
  readonly retryMs: number;
}
