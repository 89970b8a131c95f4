import { useEffect, useState } from 'react';

import type { Files } from './useFiles';

/** Does an action once the files chosen are all on the box; where one could not be sent, that is shown and nothing is done. */
export function useWhenSent(files: Files, action: () => void): { run: () => void; waiting: boolean } {
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    if (!asked || files.busy) return;
    setAsked(false);
    if (!files.files.some((file) => file.error)) action();
  }, [asked, files, action]);
  return { run: () => (files.busy ? setAsked(true) : action()), waiting: asked };
}
