/** The latest operations of one VM. Live updates replace them. */
import type { OperationView } from "../../../lib/operations/types.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { paths } from "../../paths.ts";
import { DateTime, SHAPES } from "../common.tsx";
import { Shape } from "../icons.tsx";
import { WhatChanged } from "./history.tsx";
import { STATUSES } from "../operation/states.tsx";
import { Said } from "../said.tsx";

/** The card. */
export function Lately({ vm, operations }: { vm: Vm; operations: readonly OperationView[] }) {
  return (
    <section class="card" id="vm-lately" aria-labelledby="vm-lately-head">
      <header>
        <h2 id="vm-lately-head">Lately</h2>
        <a class="sm" href={paths.vm(vm.id, "history")}>All history</a>
      </header>
      {operations.length === 0
        ? <p class="body soft">Nothing was done with this VM here yet.</p>
        : (
          <ul class="history lately">
            {operations.map((view) => {
              const { id, title, status, startedAt } = view;
              const { tone, word } = STATUSES[status];
              return (
                <li class={tone}>
                  <Shape name={SHAPES[tone]} />
                  <span>
                    <a href={paths.operation(id)}>
                      <Said text={title} />
                    </a>{" "}
                    <small class="soft">{word}</small>
                    <WhatChanged vm={vm} view={view} />
                    <DateTime at={startedAt} />
                  </span>
                </li>
              );
            })}
          </ul>
        )}
    </section>
  );
}
