/** Removes what an operation made for an image that never became whole. */
import { runStep, type StepContext } from "../../operations/steps/run_step.ts";
import type { Evidence } from "../../operations/types.ts";
import { removeUnfinished } from "./file_dataset.ts";
import { removeCredentials } from "./pull_way.ts";

/**
 * Removes the datasets and credentials in the evidence, unless they are whole or another operation has taken them over.
 *
 * @returns whether a dataset was removed.
 */
export async function undoAcquisition(
  context: StepContext,
  evidence: readonly Evidence[],
  operation: string,
): Promise<boolean> {
  const datasets = [...new Set(evidence.flatMap(({ dataset }) => dataset ?? []))];
  const credentials = [...new Set(evidence.flatMap(({ credentials }) => credentials ?? []))];
  if (datasets.length + credentials.length === 0) return false;
  const { caller } = context;
  const removed = await runStep(context, {
    step: "undo-dataset",
    method: "pool.dataset.delete",
    makes: [...datasets, ...credentials].join(", "),
    call: async (calls) => {
      for (const name of credentials) await removeCredentials({ caller, calls }, name);
      const gone: string[] = [];
      for (const dataset of datasets) {
        if (await removeUnfinished({ caller, calls }, dataset, operation)) gone.push(dataset);
      }
      return gone;
    },
    verify: null,
    detail: (gone) => gone.length === 0 ? "nothing was left" : `${gone.join(", ")} removed`,
  });
  return removed.length > 0;
}
