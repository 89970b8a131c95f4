import type { ProcessRule } from '@/api/types';

/** The chunking settings as the form holds them. */
export interface Chunking {
  mode: 'automatic' | 'custom' | 'hierarchical';
  separator: string;
  maxTokens: number;
  overlap: number;
  childTokens: number;
  parentMode: 'paragraph' | 'full-doc';
  removeSpaces: boolean;
  removeLinks: boolean;
}

export const START: Chunking = {
  mode: 'automatic', separator: '\\n\\n', maxTokens: 512, overlap: 50, childTokens: 200, parentMode: 'paragraph',
  removeSpaces: true, removeLinks: false,
};

/** "\n" as typed becomes a line break. */
export function unescape(text: string): string {
  return text.replace(/\\([nrt\\])/g, (_, letter: string) => ({ n: '\n', r: '\r', t: '\t', '\\': '\\' })[letter] ?? letter);
}

export function toRule(c: Chunking): ProcessRule {
  if (c.mode === 'automatic') return { mode: 'automatic' };
  return {
    mode: c.mode,
    rules: {
      pre_processing_rules: [
        { id: 'remove_extra_spaces', enabled: c.removeSpaces },
        { id: 'remove_urls_emails', enabled: c.removeLinks },
      ],
      segmentation: { separator: unescape(c.separator), max_tokens: c.maxTokens, chunk_overlap: Math.min(c.overlap, c.maxTokens - 1) },
      ...(c.mode === 'hierarchical'
        ? { parent_mode: c.parentMode, subchunk_segmentation: { separator: '\n', max_tokens: c.childTokens, chunk_overlap: 0 } }
        : {}),
    },
  };
}

export function docForm(c: Chunking): string {
  return c.mode === 'hierarchical' ? 'hierarchical_model' : 'text_model';
}
