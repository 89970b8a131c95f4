import { describe, expect, it } from 'vitest';

import { ownFile } from '../src/chat/pictures';
import { compareLines, leaves } from '../src/versions/changes';

describe('leaves', () => {
  it('finds what differs inside of fields and lists', () => {
    const before = { name: 'a', completion_params: { temperature: 0.1, top_p: 1 } };
    const after = { name: 'a', completion_params: { temperature: 0.7, top_p: 1 } };
    expect(leaves('model', before, after)).toEqual([{ path: ['model', 'completion_params', 'temperature'], before: 0.1, after: 0.7 }]);
    expect(leaves('prompt_template', [{ role: 'system', text: 'x' }, { role: 'user', text: 'q' }], [{ role: 'user', text: 'r' }, { role: 'system', text: 'x' }])).toEqual([
      { path: ['prompt_template', 'user', 'text'], before: 'q', after: 'r' },
    ]);
    expect(leaves('user_input_form', [{ paragraph: { variable: 'q', label: 'Question', required: false } }], [{ paragraph: { variable: 'q', label: 'Question', required: true } }])).toEqual([
      { path: ['user_input_form', 'Question', 'required'], before: false, after: true },
    ]);
  });
  it('keeps quiet about nothing and about how a node is drawn', () => {
    expect(leaves('desc', '', null)).toEqual([]);
    expect(leaves('tools', [], undefined)).toEqual([]);
    expect(leaves('height', 80, 90)).toEqual([]);
    expect(leaves('context', { a: 1, b: [] }, { b: [], a: 1 })).toEqual([]);
  });
  it('takes lists without names as a whole', () => {
    expect(leaves('options', ['a'], ['a', 'b'])).toEqual([{ path: ['options'], before: ['a'], after: ['a', 'b'] }]);
    expect(leaves('classes', [{ name: 'x' }, { name: 'x' }], [{ name: 'x' }])).toHaveLength(1);
  });
});

describe('compareLines', () => {
  it('shows what changed with a line around it', () => {
    expect(compareLines('1\n2\n3\n4\n5', '1\n2\n3\nfour\n5').map(({ kind, text }) => `${kind} ${text}`)).toEqual(['gap ⋯', 'same 3', 'out 4', 'in four', 'same 5']);
    expect(compareLines('a', 'a\nb').map(({ kind }) => kind)).toEqual(['same', 'in']);
  });
});

describe('ownFile', () => {
  const page = 'https://sparrow.local/apps/1/prompt';
  it('finds the files of this box under any of its names', () => {
    expect(ownFile('https://192.168.1.5/v1/files/a-1/file-preview?sign=x', page)).toBe('/v1/files/a-1/file-preview?sign=x');
    expect(ownFile('/files/a-1/image-preview', page)).toBe('/files/a-1/image-preview');
    expect(ownFile('https://pictures.example/a.png', page)).toBeNull();
    expect(ownFile('https://pictures.example/other/v1/files/a/file-preview', page)).toBeNull();
  });
});
