/**
 * Gives the focus back to what had it before a dialog or a menu, once they are gone. A menu that opens a dialog, and a
 * dialog that is taken away whole, leave it to nobody: who works with the keyboard would begin at the top again.
 */
export function keepFocus(): void {
  let last: HTMLElement | null = null;
  let within: HTMLElement | null = null;
  document.addEventListener('focusin', ({ target }) => {
    if (!(target instanceof HTMLElement)) return;
    const passing = target.closest('[role=dialog], [role=menu]');
    within = passing ? target : null;
    if (!passing) last = target;
  });
  new MutationObserver(() => {
    if (!within || within.isConnected || document.activeElement !== document.body) return;
    within = null;
    last?.focus({ preventScroll: true });
  }).observe(document.body, { childList: true, subtree: true });
}
