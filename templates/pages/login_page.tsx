/** Signing in to the dashboard. */
import { Layout, type PageFrame } from "../layout.tsx";
import { Notice } from "../parts/common.tsx";
import { Mark } from "../parts/icons.tsx";
import { paths } from "../paths.ts";

/** Props of the page. */
export interface LoginPageProps {
  readonly frame: PageFrame;
  /** The page to open after signing in. */
  readonly to: string;
  readonly message: string | null;
}

/** The page. It shows nothing about the NAS, because the visitor has not signed in. */
export function LoginPage({ frame, to, message }: LoginPageProps) {
  return (
    <Layout {...frame} title="Sign in" current={null} closed>
      <section class="card sign-in">
        <div class="body">
          <Mark />
          <h1>Sign in</h1>
          <p class="soft">TrueNAS VM Manager</p>
          {message === null ? null : (
            <Notice tone="warn">
              <p role="alert" id="login-message">{message}</p>
            </Notice>
          )}
          <form method="post" action={paths.login()} class="login">
            <input type="hidden" name="to" value={to} />
            <div class="field">
              <label for="password">Dashboard password</label>
              <input
                id="password"
                name="password"
                class="input"
                type="password"
                autocomplete="current-password"
                required
                autofocus
                aria-describedby={message === null ? undefined : "login-message"}
              />
            </div>
            <button type="submit" class="btn primary lg">Sign in</button>
          </form>
        </div>
      </section>
    </Layout>
  );
}
