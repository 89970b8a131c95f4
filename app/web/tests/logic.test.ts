import { describe, expect, it } from 'vitest';

import { toError } from '../src/api/http';
import { strength } from '../src/auth/strength';
import { layout } from '../src/canvas/graph';
import { highlight, keywords } from '../src/chat/highlight';
import { entries, obstacle, promptVariables, UPLOADING } from '../src/chat/inputs';
import { START, toRule, unescape } from '../src/knowledge/rules';
import { detectLanguage } from '../src/i18n';
import { guessFeatures, guessType } from '../src/models/api';
import { example } from '../src/access/examples';
import { fileName } from '../src/studio/api';

describe('strength', () => {
  it('refuses what the server refuses and tells weak from strong', () => {
    expect(strength('a1')).toBe(0);
    expect(strength('abcdefghij')).toBe(0);
    expect(strength('12345678')).toBe(0);
    expect(strength('password1')).toBe(1);
    expect(strength('aaaaaaa1')).toBe(1);
    expect(strength('sieben Spatzen fliegen um 7')).toBe(4);
    expect(strength('麻雀虽小五脏俱全2026')).toBeGreaterThan(1);
  });
});

describe('highlight', () => {
  it('marks Chinese pairs and Latin words of the question', () => {
    expect(keywords('滤芯多久更换？')).toContain('滤芯');
    const text = highlight('每两周更换滤芯，型号 A-40/2B。', '滤芯 A-40/2B');
    expect(text.filter((p) => p.hit).map((p) => p.text)).toEqual(['滤芯', 'A-40/2B']);
    expect(text.map((p) => p.text).join('')).toBe('每两周更换滤芯，型号 A-40/2B。');
  });
  it('marks words of any script, and overlapping pairs as one', () => {
    expect(keywords('صمام A-40 клапан')).toEqual(['клапан', 'صمام', 'a-40']);
    expect(highlight('请每周更换周边', '更换周边').filter((p) => p.hit).map((p) => p.text)).toEqual(['更换周边']);
  });
  it('leaves a passage alone that shares no word', () => {
    expect(highlight('abc', 'the')).toEqual([{ text: 'abc', hit: false }]);
  });
});

describe('inputs', () => {
  it('reads the form of a Dify app', () => {
    const form = entries([{ 'text-input': { label: 'City', variable: 'city', required: true } }, { select: { label: '', variable: '' } }]);
    expect(form).toHaveLength(1);
    expect(obstacle(form, {})).toEqual({ why: 'missing', name: 'City' });
    expect(obstacle(form, { city: UPLOADING })).toEqual({ why: 'uploading', name: 'City' });
    expect(obstacle(form, { city: 'x' })).toBeUndefined();
  });
  it('finds variables once each', () => {
    expect(promptVariables('{{a}} {{b_1}} {{a}} {{#x.y#}} {{1a}}')).toEqual(['a', 'b_1']);
  });
});

describe('toError', () => {
  it('reads the envelope, and copes with a proxy page', () => {
    expect(toError(429, '{"code":"login_backoff","message":"Wait","status":429}', '4')).toMatchObject({ code: 'login_backoff', retryAfter: 4 });
    expect(toError(502, '<html>', null)).toMatchObject({ code: 'http_502', message: '' });
  });
});

describe('rules', () => {
  it('turns the form into the process rule', () => {
    expect(toRule(START)).toEqual({ mode: 'automatic' });
    expect(unescape('\\n\\n')).toBe('\n\n');
    const rule = toRule({ ...START, mode: 'hierarchical', maxTokens: 40, overlap: 90 });
    expect(rule.rules?.segmentation).toEqual({ separator: '\n\n', max_tokens: 40, chunk_overlap: 39 });
    expect(rule.rules?.parent_mode).toBe('paragraph');
  });
});

describe('models', () => {
  it('guesses what a model is for', () => {
    expect(['bge-m3', 'qwen2.5-7b', 'bge-reranker-v2', 'whisper-1', 'tts-1'].map(guessType)).toEqual(['text-embedding', 'llm', 'rerank', 'speech2text', 'tts']);
    expect(guessFeatures('qwen2.5-vl-7b')).toContain('vision');
    expect(guessFeatures('bge-m3')).toEqual([]);
  });
});

describe('studio', () => {
  it('writes examples that quote safely', () => {
    expect(example('curl', 'chat', 'https://box/v1', "What's up?")).toContain("What'\\''s up?");
    expect(example('python', 'workflow', 'https://box/v1', 'x')).toContain('/workflows/run');
    expect(fileName('a/b:c', 'yml')).toBe('a b c.yml');
  });
  it('lays a graph out with parents first', () => {
    const { nodes, form } = layout({
      graph: {
        nodes: [
          { id: 'c', parentId: 'p', data: { type: 'llm' } },
          { id: 'p', data: { type: 'iteration' }, width: 9, height: 9 },
          { id: 's', data: { type: 'start', variables: [{ variable: 'x', label: 'X', type: 'number' }] } },
          { id: 'note', type: 'custom-note', data: { type: '' } },
        ],
      },
    });
    expect(nodes.map((n) => n.id)).toEqual(['p', 's', 'c']);
    expect(entries(form)[0]?.kind).toBe('number');
  });
});

describe('detectLanguage', () => {
  it('prefers the stored choice, then the browser', () => {
    expect(detectLanguage('zh', ['en'])).toBe('zh');
    expect(detectLanguage(null, ['fr-FR', 'zh-CN', 'en'])).toBe('zh');
    expect(detectLanguage(null, ['fr'])).toBe('en');
  });
});
