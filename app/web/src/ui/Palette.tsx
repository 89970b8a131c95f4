import { Kbd, Modal, Text, TextInput, UnstyledButton } from '@mantine/core';
import { IconBook2, IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState, type KeyboardEvent, type ReactNode } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import { http } from '@/api/http';
import type { App, Dataset, Page } from '@/api/types';

import { AppIcon } from './AppIcon';
import css from './Palette.module.css';
import { NAV } from './places';

interface Entry {
  id: string;
  label: string;
  hint: string;
  icon: ReactNode;
  to: string;
}

/** Goes anywhere by typing a part of its name. */
export default function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const [index, setIndex] = useState(0);
  const apps = useQuery({
    queryKey: ['apps', 'palette'],
    queryFn: () => http.get<Page<App>>('/apps', { page: 1, limit: 100 }),
    enabled: open,
  });
  const datasets = useQuery({
    queryKey: ['datasets', 'palette'],
    queryFn: () => http.get<Page<Dataset>>('/datasets', { page: 1, limit: 100 }),
    enabled: open,
  });

  const entries = useMemo<Entry[]>(() => {
    const all: Entry[] = [
      ...NAV.map(({ to, key, icon: Icon }) => ({
        id: to, label: t(key), hint: t('palette.page'), icon: <Icon size={20} stroke={1.7} />, to,
      })),
      { id: 'new', label: t('studio:create.action'), hint: t('palette.action'), icon: <IconPlus size={20} />, to: '/apps?create=1' },
      { id: 'newk', label: t('knowledge:create.action'), hint: t('palette.action'), icon: <IconPlus size={20} />, to: '/knowledge?create=1' },
      ...(apps.data?.data ?? []).map((app) => ({
        id: app.id, label: app.name, hint: t(`studio:mode.${app.mode}.name`), icon: <AppIcon app={app} size={24} />, to: `/apps/${app.id}`,
      })),
      ...(datasets.data?.data ?? []).map((set) => ({
        id: set.id, label: set.name, hint: t('nav.knowledge'), icon: <IconBook2 size={20} stroke={1.7} />, to: `/knowledge/${set.id}`,
      })),
    ];
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((e) => words.every((w) => `${e.label} ${e.hint}`.toLowerCase().includes(w))).slice(0, 40);
  }, [apps.data, datasets.data, text, t]);

  const go = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    setText('');
    setIndex(0);
    void navigate(entry.to);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'ArrowDown') setIndex((i) => Math.min(entries.length - 1, i + 1));
    else if (event.key === 'ArrowUp') setIndex((i) => Math.max(0, i - 1));
    else if (event.key === 'Enter') go(entries[index]);
    else return;
    event.preventDefault();
  };

  return (
    <Modal opened={open} onClose={onClose} withCloseButton={false} padding={0} size={560} centered={false} yOffset="12vh" aria-label={t('palette.open')}>
      <TextInput
        data-autofocus
        size="lg"
        variant="unstyled"
        px="md"
        py={4}
        value={text}
        placeholder={t('palette.placeholder')}
        leftSection={<IconSearch size={20} aria-hidden />}
        leftSectionWidth={48}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setIndex(0);
        }}
        onKeyDown={onKey}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={entries[index] ? `palette-${entries[index].id}` : undefined}
        aria-label={t('palette.placeholder')}
      />
      <div id="palette-list" role="listbox" aria-label={t('palette.open')} className={css.list}>
        {entries.map((entry, i) => (
          <UnstyledButton
            key={entry.id}
            id={`palette-${entry.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === index}
            className={css.entry}
            onMouseMove={() => setIndex(i)}
            onClick={() => go(entry)}
          >
            <span className={css.icon}>{entry.icon}</span>
            <Text truncate>{entry.label}</Text>
            <Text c="dimmed" fz="sm" ml="auto" style={{ flex: 'none' }}>
              {entry.hint}
            </Text>
          </UnstyledButton>
        ))}
        {entries.length === 0 ? (
          <Text c="dimmed" ta="center" py="lg">
            {t('state.noMatch')}
          </Text>
        ) : null}
      </div>
      <div className={css.hints}>
        <span><Kbd size="xs">↑</Kbd> <Kbd size="xs">↓</Kbd> {t('palette.move')}</span>
        <span><Kbd size="xs">Enter</Kbd> {t('palette.go')}</span>
        <span><Kbd size="xs">Esc</Kbd> {t('action.close')}</span>
      </div>
    </Modal>
  );
}
