import { Combobox, Text, useCombobox } from '@mantine/core';
import { useId, useRef, useState, type KeyboardEvent } from 'react';
import { useTranslation } from '@/i18n';

import css from './Prompt.module.css';

/** The instructions of an app. {{name}} is coloured, and typing {{ offers the known names. */
export function InstructionEditor({
  value,
  variables,
  onChange,
}: {
  value: string;
  variables: string[];
  onChange: (value: string) => void;
}) {
  const { t } = useTranslation();
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const box = useCombobox();
  const offers = typed === null ? [] : variables.filter((v) => v.startsWith(typed));
  const open = offers.length > 0;

  const look = () => {
    const area = field.current;
    if (!area) return;
    const match = /\{\{(\w*)$/.exec(area.value.slice(0, area.selectionStart));
    setTyped(match ? (match[1] ?? '') : null);
    if (match) box.selectFirstOption();
  };
  const insert = (name: string) => {
    const area = field.current;
    if (!area) return;
    const start = area.value.lastIndexOf('{{', area.selectionStart);
    const rest = area.value.slice(area.selectionStart).replace(/^\}\}/, '');
    const head = `${area.value.slice(0, start)}{{${name}}}`;
    onChange(head + rest);
    setTyped(null);
    requestAnimationFrame(() => {
      area.focus();
      area.setSelectionRange(head.length, head.length);
    });
  };
  const onKey = (event: KeyboardEvent) => {
    if (!open) return;
    if (event.key === 'ArrowDown') box.selectNextOption();
    else if (event.key === 'ArrowUp') box.selectPreviousOption();
    else if (event.key === 'Enter' || event.key === 'Tab') box.clickSelectedOption();
    else if (event.key === 'Escape') setTyped(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const parts = value.split(/(\{\{\w+\}\})/);
  return (
    <Combobox store={box} onOptionSubmit={insert} withinPortal={false} position="bottom-start">
      <div className={css.editor}>
        <div className={css.ghost} aria-hidden>
          {parts.map((part, i) =>
            i % 2 ? (
              <span key={i} className={variables.includes(part.slice(2, -2)) ? css.known : css.unknown}>
                {part}
              </span>
            ) : (
              part
            ),
          )}
          {'\n'}
        </div>
        <Combobox.EventsTarget withKeyboardNavigation={false}>
          <textarea
            ref={field}
            id={id}
            className={css.area}
            value={value}
            spellCheck={false}
            aria-label={t('prompt:instructions.title')}
            placeholder={t('prompt:instructions.placeholder')}
            onChange={(event) => {
              onChange(event.currentTarget.value);
              requestAnimationFrame(look);
            }}
            onKeyDown={onKey}
            onClick={look}
            onBlur={() => setTimeout(() => setTyped(null), 150)}
          />
        </Combobox.EventsTarget>
      </div>
      {open ? (
        <div className={css.offers}>
          <Combobox.Options aria-label={t('prompt:variables.title')}>
            {offers.map((name) => (
              <Combobox.Option key={name} value={name}>
                <Text ff="monospace" fz="sm">{`{{${name}}}`}</Text>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </div>
      ) : null}
    </Combobox>
  );
}
