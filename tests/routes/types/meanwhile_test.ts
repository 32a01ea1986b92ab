/** Protects a configuration that two people edit, or one person twice: nobody overwrites what they have not seen. */
import assert from "node:assert/strict";
import { MemoryStore } from "../../../lib/configuration/editing/configuration_store.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { errorsOf, post, text, withDashboard } from "../../support/pages/http.ts";
import {
  fieldsOf,
  fileText,
  filled,
  GPU,
  page,
  plain,
  save,
  submit,
} from "../../support/pages/type_forms.ts";

Deno.test("a form sent twice is saved once and leads to the same page", () =>
  withDashboard({}, async (dashboard) => {
    const review = await text(
      post(dashboard, "/types/review", filled(await page(dashboard, "/types/new"), GPU)),
    );
    const answers = [];
    for (let n = 0; n < 2; n++) {
      const answer = await post(dashboard, "/types", fieldsOf(review));
      await answer.body?.cancel();
      answers.push([answer.status, answer.headers.get("location")]);
    }
    assert.deepEqual(answers, [[303, "/types?saved=add_gpu"], [303, "/types?saved=add_gpu"]]);
    assert.equal(dashboard.store.versions().length, 1);
  }));

Deno.test("a file that changed meanwhile is not overwritten: 409, what was typed is kept, and the new difference shown", () => {
  let file = TEST_CONFIG;
  const store = new MemoryStore(() => ({ text: file, source: "config.yaml" }));
  return withDashboard({ store }, async (dashboard) => {
    const edit = await page(dashboard, "/types/edit?name=worker");
    const review = await text(post(dashboard, "/types/review", filled(edit, { count: "4" })));
    file = TEST_CONFIG.replace(
      "worker:\n  count: 3\n  memory: 2048",
      "worker:\n  count: 3\n  memory: 4096 # more",
    );
    for (
      const [path, fields] of [["/types", fieldsOf(review)], [
        "/types/review",
        filled(edit, { count: "4" }),
      ]] as const
    ) {
      const { status, html } = await submit(dashboard, path, [...fields]);
      assert.equal(status, 409);
      assert.match(plain(html), /The file changed after this page was opened\. Nothing was saved/);
      assert.match(html, /data-diff="removed"[^]*?memory: 4096 # more/);
      assert.ok(fieldsOf(html).some(([name, value]) => name === "count" && value === "4"));
      assert.equal(fileText(dashboard), file);
      if (path === "/types") continue;
      await save(dashboard, fieldsOf(html));
      assert.match(fileText(dashboard), /count: 4\n {2}memory: 2048 # more/);
    }
  });
});

Deno.test("a button inside the form does not hide that the file changed meanwhile", () =>
  withDashboard({}, async (dashboard) => {
    const edit = await page(dashboard, "/types/edit?name=worker");
    await save(dashboard, GPU);
    const stepped = await submit(dashboard, "/types/form", [...fieldsOf(edit), ["step", "more"]]);
    assert.equal((await submit(dashboard, "/types/review", fieldsOf(stepped.html))).status, 409);
    assert.equal((await submit(dashboard, "/types", fieldsOf(stepped.html))).status, 409);
  }));

Deno.test("a type that somebody else deleted or added meanwhile is said to be gone or taken", () =>
  withDashboard({}, async (dashboard) => {
    const edit = filled(await page(dashboard, "/types/edit?name=worker"), { count: "4" });
    const add = filled(await page(dashboard, "/types/new"), GPU);
    const removal = await page(dashboard, "/types/remove?name=worker");
    await save(dashboard, fieldsOf(removal));
    await save(dashboard, GPU);
    const gone = await submit(dashboard, "/types/review", edit);
    assert.equal(gone.status, 409);
    assert.match(plain(gone.html), /config\.yaml has no section "worker" any more/);
    const taken = await submit(dashboard, "/types/review", add);
    assert.equal(taken.status, 409);
    assert.deepEqual(errorsOf(taken.html), ["name"]);
    assert.match(plain(taken.html), /There is already a VM type gpu/);
  }));
