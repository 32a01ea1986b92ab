/** Pages around set-up: entering it, leaving it, and where the settings of a connected NAS come from. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { ErrorSummary, Notice, State } from "../../parts/common.tsx";
import { Layout, type PageFrame } from "../../layout.tsx";
import { paths } from "../../paths.ts";
import { SecretField } from "./parts.tsx";

/** Asks who opens set-up. */
export function SetupGatePage(
  { frame, asks, problems }: {
    frame: PageFrame;
    asks: "code" | "password" | "nothing";
    problems: readonly Problem[];
  },
) {
  return (
    <Layout {...frame} title="Connect your NAS" current={null} closed>
      <div class="calm" id="setup" data-setup="gate">
        <header>
          <h1>Connect your NAS</h1>
        </header>
        <ErrorSummary problems={problems} />
        {asks === "nothing"
          ? (
            <Notice tone="warn">
              <p>
                Somebody has used the set-up code. Finish set-up in that browser, or restart the program for a
                new code.
              </p>
            </Notice>
          )
          : (
            <form method="post" action={paths.setupStep("enter")} class="sheet">
              {asks === "code"
                ? (
                  <SecretField
                    name="code"
                    label="Set-up code"
                    problems={problems}
                    plain
                    help="The program has printed it in its log, for example abcd-efgh. It works once."
                  />
                )
                : (
                  <SecretField
                    name="code"
                    label="Dashboard password"
                    problems={problems}
                    autocomplete="current-password"
                    help="The one that is set for this dashboard, in DASHBOARD_PASSWORD or during set-up."
                  />
                )}
              <p class="actions">
                <button class="btn primary" type="submit">Continue</button>
              </p>
            </form>
          )}
      </div>
    </Layout>
  );
}

/** What other browsers see once set-up is finished in one. */
export function ConnectedPage({ frame, host, username, problems }: {
  frame: PageFrame;
  host: string;
  /** Of the account; empty on the NAS itself. */
  username: string;
  problems: readonly Problem[];
}) {
  return (
    <Layout {...frame} title="Your NAS is connected" current={null} closed>
      <div class="calm" id="setup" data-setup="connected">
        <header>
          <h1>Your NAS is connected</h1>
          <p class="soft">
            Set-up was finished in another browser: <b dir="auto">{host}</b>
            {username === "" ? "" : (
              <>
                , as <b dir="auto">{username}</b>
              </>
            )}. The settings are stored.
          </p>
        </header>
        <ErrorSummary problems={problems} />
        <form method="post" action={paths.setupStep("open")}>
          <p class="actions">
            <button class="btn primary" type="submit">Open the dashboard</button>
            <a class="btn" href={paths.setup({ change: "address" })}>Change the connection</a>
          </p>
        </form>
      </div>
    </Layout>
  );
}

/** Shown while the program changes between set-up and the dashboard. The browser goes on by itself. */
export function OpeningPage({ frame, title, next, seconds }: {
  frame: PageFrame;
  title: string;
  /** The address of the page that opens. */
  next: string;
  seconds: number;
}) {
  return (
    <Layout {...frame} title={title} current={null} refresh={{ seconds, url: next }} closed>
      <div class="calm" id="setup" data-setup="opening" data-opens={next}>
        <header>
          <h1>{title}</h1>
          <p class="soft">This takes a few seconds. The page goes on by itself.</p>
        </header>
        <p class="actions">
          <State tone="busy" word="Starting" />
          <a class="btn" href={next}>Open it now</a>
        </p>
      </div>
    </Layout>
  );
}

/** The NAS that is connected now, and the way to its VMs. */
function Present({ connection: { state, host, release } }: Pick<PageFrame, "connection">) {
  const isConnected = state === "live" || state === "simulated";
  return (
    <p class="soft">
      {isConnected ? "Connected to" : "Set to connect to"} <b dir="auto">{host}</b>
      {release === null ? "" : `, TrueNAS ${release}`}. <a href={paths.home()}>Show its VMs</a>
    </p>
  );
}

/** Where the settings of the connection come from, and whether set-up can change them. */
export function ChangeConnectionPage({ frame, outer, isSimulated, envFile, problems }: {
  frame: PageFrame;
  /** The settings that set-up cannot change. */
  outer: readonly { readonly name: string; readonly where: "environment" | "file" }[];
  isSimulated: boolean;
  /** Path of the file of settings. */
  envFile: string;
  problems: readonly Problem[];
}) {
  return (
    <Layout {...frame} title="Change connection" current="connection">
      <div class="calm" id="setup" data-setup="change">
        <header>
          <h1>Change the connection</h1>
          <Present connection={frame.connection} />
        </header>
        <ErrorSummary problems={problems} />
        {isSimulated
          ? <p>The demo's NAS is simulated. To connect your own, start the program without the word demo.</p>
          : outer.length > 0
          ? (
            <>
              <p>
                These settings were made outside the dashboard. Change them there and restart the program:
              </p>
              <ul class="written">
                {outer.map(({ name, where }) => (
                  <li>
                    <code>{name}</code> {where === "environment" ? "in the environment" : (
                      <>
                        in <code>{envFile}</code>
                      </>
                    )}
                  </li>
                ))}
              </ul>
            </>
          )
          : frame.mayChange
          ? (
            <form method="post" action={paths.setup()}>
              <p>
                The dashboard stops while you connect another NAS or account. The present connection stays
                until the new one has signed in, and you can return to it at any time.
              </p>
              <p class="actions">
                <button class="btn primary" type="submit">Change connection</button>
                <a class="btn plain" href={paths.connection()}>Cancel</a>
              </p>
            </form>
          )
          : <p>Only an administrator can change the connection.</p>}
      </div>
    </Layout>
  );
}
