/**
 * Runs `task` one at a time. Calls made during a run coalesce into one more run after it, so that the last run always
 * began after the last call. The promise settles as that last run did.
 */
export function coalesced(task: () => Promise<void>): () => Promise<void> {
  let calls = 0;
  let running: Promise<void> | undefined;

  async function rounds(): Promise<void> {
    let last: Promise<void>;
    let begun: number;
    do {
      begun = calls;
      last = task();
      await last.catch(() => undefined);
    } while (calls !== begun);
    running = undefined;
    await last;
  }

  return () => {
    calls += 1;
    running ??= rounds();
    return running;
  };
}
