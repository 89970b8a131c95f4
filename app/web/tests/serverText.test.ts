import { afterEach, describe, expect, it } from 'vitest';

import catalogue from '../src/locales/server.zh.json';
import { serverText, setCatalogue } from '../src/ui/serverText';

afterEach(() => setCatalogue(null));

describe('serverText', () => {
  it('leaves the server\'s English alone without a catalogue', () => {
    expect(serverText('Wrong password.')).toBe('Wrong password.');
  });
  it('says a sentence, what is filled in and a sentence inside it in Chinese', () => {
    setCatalogue(catalogue);
    expect(serverText('Wrong password.')).toBe('密码不正确。');
    expect(serverText('Too many tries. Wait 8 s.')).toBe('尝试次数过多，请等待 8 秒。');
    expect(serverText('Row 3: Content is empty.')).toBe('第 3 行：内容为空。');
    expect(serverText('name: Expected `str` of length >= 1')).toBe('name：不能为空（长度至少为 1）');
    expect(serverText('[openai] Rate limit reached (HTTP 429): slow down (really)')).toBe('[openai] 已达到频率限制（HTTP 429）：slow down (really)');
  });
  it('keeps what it does not know', () => {
    setCatalogue(catalogue);
    expect(serverText('no catalogue knows this')).toBe('no catalogue knows this');
  });
});
