import Markdown from '@/chat/Markdown';

import { useMarks } from './marks';

/** A passage that was found, laid out, the words of the question marked. */
export default function Found({ text, query }: { text: string; query: string }) {
  const box = useMarks(query);
  return <div ref={box} style={{ whiteSpace: 'normal' }}><Markdown text={text} /></div>;
}
