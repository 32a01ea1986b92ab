/** Protects people at a terminal: each shell loads its completions and offers what there is, and man shows the page. */
import assert from "node:assert/strict";
import { completionOf, type Shell } from "../../lib/command_line/completion.ts";
import { manPage } from "../../lib/command_line/man_page.ts";
import { consume, expectAccepted } from "../support/consumers.ts";
import { withFolder } from "../support/folder.ts";

/** What a shell offers after these words; the last is the one that is being typed. */
type Offered = (file: string, words: readonly string[]) => Promise<string>;

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

const OFFERED: Readonly<Record<Shell, Offered>> = {
  bash: async (file, words) => {
    const script = `set -u; source ${file}; COMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}
      _truenas_vm_manager; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return (await expectAccepted("bash", ["--norc", "-c", script])).stdout;
  },
  fish: async (file, words) => {
    const script = `source ${file}; complete -C '${words.join(" ")}'`;
    return (await expectAccepted("fish", ["--no-config", "-c", script])).stdout.replaceAll(/\t.*/g, "");
  },
  // Only a terminal makes zsh complete, so one is played to it.
  zsh: async (file, words) => {
    // What is typed is read in order, so the answer is complete once the last command has printed.
    const script = `zmodload zsh/zpty; zpty z zsh -f -i
      zpty -w z "PROMPT='now> ' RPROMPT= ; autoload -Uz compinit; compinit -u -d ${file}.dump; source ${file}"
      zpty -w z "LISTMAX=1000; bindkey '^I' list-choices; print re''ady"
      zpty -r -m z line '*ready*now>*'
      zpty -w -n z $'${words.join(" ")}\\t\\x15'"print e''nd"$'\\n'
      zpty -r -m z line '*end*'; print -r -- "$line"; zpty -d z`;
    const { stdout } = await expectAccepted("zsh", ["-f", "-c", script]);
    const plain = stdout.replaceAll(/\p{Cc}\[[\d;?]*[A-Za-z]/gu, "\n");
    return plain.replaceAll(words.join(" "), "");
  },
};

for (const shell of ["bash", "zsh", "fish"] as const) {
  Deno.test(`${shell} completes commands, actions, options and values`, () =>
    withFolder(async (folder) => {
      const file = `${folder}/completions`;
      await Deno.writeTextFile(file, completionOf(shell));
      const offered = (...words: string[]) => OFFERED[shell](file, ["truenas-vm-manager", ...words]);
      for (
        const [words, wanted, other] of [
          [["ch"], /\bcheckpoint\b/, /\bcreate\b/],
          [["checkpoint", "ro"], /\brollback\b/, /\bcreate\b/],
          [["vm", "st"], /\bstart\b/, /\bserve\b/],
          [["create", "--re"], /--restart|--replace/, /--prefix/],
          [["export", "--format", "d"], /\bdnsmasq\b/, /\bkea\b/],
        ] as const
      ) {
        const said = await offered(...words);
        assert.match(said, wanted, words.join(" "));
        assert.doesNotMatch(said, other, words.join(" "));
      }
    }));
}

Deno.test("the manual page has no fault that mandoc warns of, and names every command with its options", () =>
  withFolder(async (folder) => {
    const file = `${folder}/truenas-vm-manager.1`;
    await Deno.writeTextFile(file, manPage());
    const { stdout } = await consume("mandoc", ["-T", "lint", "-W", "warning", file]);
    // A date would make each build another page.
    assert.deepEqual(stdout.trim().split("\n").filter((line) => !line.includes("missing date")), []);
    const { stdout: text } = await expectAccepted("mandoc", ["-T", "utf8", "-O", "width=100", file]);
    const plain = text.replaceAll(/.(?!\n)\p{Cc}/gu, "");
    assert.match(plain, /checkpoint <create\|list\|rollback\|remove> \[NAME\] \[TYPE\.\.\.\]/);
    assert.match(plain, /--discard-newer\n +checkpoint rollback: remove the snapshots/);
    assert.match(plain, /TRUENAS_HOST\n/);
    assert.match(plain, /API_PASSWORD_FILE/);
  }));
