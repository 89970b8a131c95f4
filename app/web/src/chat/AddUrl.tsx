import { Button, Group, Popover, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';

import { useTranslation } from '@/i18n';

/** Asks for the address of a file; `children` draws the button that opens it. */
export function AddUrl({ onAdd, children }: { onAdd: (address: string) => boolean; children: (open: () => void) => ReactNode }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const [address, setAddress] = useState('');
  const [wrong, setWrong] = useState(false);
  const add = () => {
    const typed = address.trim();
    if (!/^https?:\/\/[^\s/]+/i.test(typed)) {
      setWrong(true);
      return;
    }
    if (!onAdd(typed)) return;
    setAddress('');
    setOpened(false);
  };
  return (
    <Popover opened={opened} onChange={setOpened} width={300} position="top-start" shadow="md" trapFocus>
      <Popover.Target>{children(() => setOpened((now) => !now))}</Popover.Target>
      <Popover.Dropdown>
        <TextInput
          data-autofocus
          label={t('chat:files.address')}
          placeholder="https://"
          inputMode="url"
          value={address}
          error={wrong ? t('chat:files.badAddress') : undefined}
          onChange={(event) => {
            setAddress(event.currentTarget.value);
            setWrong(false);
          }}
          onKeyDown={(event) => {
            // The field stands inside the form of a question, which Enter must not send.
            if (event.key !== 'Enter') return;
            event.preventDefault();
            add();
          }}
        />
        <Group justify="flex-end" mt="xs">
          <Button size="xs" disabled={!address.trim()} onClick={add}>{t('action.add')}</Button>
        </Group>
      </Popover.Dropdown>
    </Popover>
  );
}
