/** A dashboard with passwords, whose time the test decides. */
import { startDashboard, type TestDashboard } from "./dashboard.ts";

/** The passwords of {@link withAccess}. */
export const ACCESS = {
  password: "open sesame",
  viewerPassword: "just looking",
  metricsToken: "scrape-0123456789abcdef",
};

/** The time as the dashboard sees it. */
export interface TestClock {
  /** Milliseconds since 1970 (UTC). */
  now: number;
  /** What was waited for, in milliseconds. */
  readonly waits: number[];
  /** When waiting ends; at once, unless the test holds it. */
  until: Promise<void>;
}

/** Runs a test against a dashboard with one VM and both passwords. */
export async function withAccess(
  test: (dashboard: TestDashboard, clock: TestClock) => Promise<void>,
  logged: string[] = [],
): Promise<void> {
  const clock: TestClock = { now: Date.UTC(2026, 10, 23), waits: [], until: Promise.resolve() };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    access: ACCESS,
    now: () => clock.now,
    wait: (ms) => {
      clock.waits.push(ms);
      return clock.until;
    },
    onLog: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
  });
  await test(dashboard, clock);
}
