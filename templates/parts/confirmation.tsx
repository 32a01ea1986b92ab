/** The frame of pages that confirm one action: what it does, what stands in its way, the phrase, and the button. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { ErrorSummary, Field, Notice, Warning } from "./common.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { Said } from "./said.tsx";

/** The button that does it, in the frame's foot; it belongs to a form within. */
export interface ConfirmButton {
  readonly form: string;
  readonly id: string;
  readonly icon: IconName;
  readonly words: string;
  /** Whether it takes something away; default yes. */
  readonly isDanger?: boolean;
}

/** What the frame is given. */
export interface ConfirmationProps {
  readonly frame: PageFrame;
  readonly current: "images" | "checkpoints";
  /** Where Cancel and the trail lead. */
  readonly back: { readonly label: string; readonly href: string };
  readonly title: string;
  /** One sentence of what happens. */
  readonly said: string;
  readonly notice: string | null;
  readonly problems: readonly Problem[];
  /** Null where nothing can be confirmed. */
  readonly button: ConfirmButton | null;
  readonly children?: Child;
}

/** The frame. */
export function Confirmation(props: ConfirmationProps) {
  const { frame, current, back, title, said, notice, problems, button, children } = props;
  return (
    <Layout {...frame} title={title} current={current}>
      <nav class="trail" aria-label="Breadcrumb">
        <a href={back.href}>{back.label}</a>
      </nav>
      <section class="dialog in-page" aria-label={title}>
        <div class="top">
          <h1 dir="auto">{title}</h1>
          <p class="soft">{said}</p>
        </div>
        <div class="body stack">
          <Warning text={notice} />
          <ErrorSummary problems={problems} />
          {children}
        </div>
        <div class="foot">
          <a class="btn" href={back.href}>Cancel</a>
          {button === null ? null : (
            <button
              type="submit"
              form={button.form}
              class={button.isDanger === false ? "btn primary" : "btn danger solid"}
              id={button.id}
            >
              <Icon name={button.icon} />
              <span dir="auto">{button.words}</span>
            </button>
          )}
        </div>
      </section>
    </Layout>
  );
}

/** What the plan says besides. */
export function PlanNotices({ notices }: { readonly notices: readonly string[] }) {
  if (notices.length === 0) return null;
  return (
    <Notice tone="quiet">
      {notices.map((text) => (
        <p>
          <Said text={text} />.
        </p>
      ))}
    </Notice>
  );
}

/** What the form of the phrase is given. */
export interface PhraseFormProps {
  readonly id: string;
  readonly action: string;
  readonly plan: { readonly fingerprint: string; readonly phrase: string };
  readonly token: string;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  /** Hidden fields. */
  readonly children?: Child;
}

/** The form that sends the phrase, with what was shown. */
export function PhraseForm({ id, action, plan, token, phrase, problems, children }: PhraseFormProps) {
  return (
    <form method="post" action={action} id={id} class="stack">
      {children}
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token} />
      <Field
        name="phrase"
        label={`Type “${plan.phrase}” to confirm`}
        value={phrase}
        problems={problems}
        exactly={plan.phrase}
      />
    </form>
  );
}
