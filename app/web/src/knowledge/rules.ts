import type { ProcessRule } from '@/api/types';

/** The chunking settings as the form holds them. */
export interface Chunking {
  mode: 'automatic' | 'custom' | 'hierarchical' | 'qa';
  separator: string;
  maxTokens: number;
  overlap: number;
  childTokens: number;
  parentMode: 'paragraph' | 'full-doc';
  removeSpaces: boolean;
  removeLinks: boolean;
  /** In which questions and answers are written. */
  language: string;
}

export const START: Chunking = {
  mode: 'automatic', separator: '\\n\\n', maxTokens: 512, overlap: 50, childTokens: 200, parentMode: 'paragraph',
  removeSpaces: true, removeLinks: false, language: 'English',
};

/** "\n" as typed becomes a line break. */
export function unescape(text: string): string {
  return text.replace(/\\([nrt\\])/g, (_, letter: string) => ({ n: '\n', r: '\r', t: '\t', '\\': '\\' })[letter] ?? letter);
}

export function toRule(c: Chunking): ProcessRule {
  if (c.mode === 'automatic' || c.mode === 'qa') return { mode: 'automatic' };
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
  return c.mode === 'hierarchical' ? 'hierarchical_model' : c.mode === 'qa' ? 'qa_model' : 'text_model';
}

/** The modes that make documents of a form; all while the base has none yet. */
export function modesOf(form: string | null): Chunking['mode'][] {
  if (form === 'hierarchical_model') return ['hierarchical'];
  if (form === 'qa_model') return ['qa'];
  return form ? ['automatic', 'custom'] : ['automatic', 'custom', 'hierarchical', 'qa'];
}

/** The form's values for a document that was cut by a rule. */
export function fromRule(rule: ProcessRule | null | undefined, form: string | null): Chunking {
  const mode = modesOf(form)[0] ?? 'automatic';
  const rules = rule?.rules;
  const start = { ...START, mode: rule?.mode === 'custom' && mode === 'automatic' ? ('custom' as const) : mode };
  if (!rules?.segmentation || rule?.mode === 'automatic') return start;
  const on = (id: string) => rules.pre_processing_rules.some((entry) => entry.id === id && entry.enabled);
  return {
    ...start, separator: rules.segmentation.separator.replaceAll('\n', '\\n').replaceAll('\t', '\\t'),
    maxTokens: rules.segmentation.max_tokens, overlap: rules.segmentation.chunk_overlap,
    childTokens: rules.subchunk_segmentation?.max_tokens ?? START.childTokens, parentMode: rules.parent_mode ?? 'paragraph',
    removeSpaces: on('remove_extra_spaces'), removeLinks: on('remove_urls_emails'),
  };
}
