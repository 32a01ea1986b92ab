/** The badge of operations that wait for a decision. */

/** How many operations wait for a decision; live updates replace it by its id. */
export function Undecided({ count }: { count: number }) {
  return (
    <span id="undecided" class={count === 0 ? "visually-hidden" : "badge warn"}>
      {count === 0 ? "" : (
        <>
          {count}
          <span class="visually-hidden">
            {count === 1 ? " operation needs" : " operations need"} a decision
          </span>
        </>
      )}
    </span>
  );
}
