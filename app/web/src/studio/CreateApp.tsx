import { Button, Group, Modal, Radio, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import type { AppMode } from '@/api/types';
import { AppIcon } from '@/ui/AppIcon';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { appApi, MODES, refreshApps } from './api';
import css from './Studio.module.css';

/** Chooses the kind of app and its name. */
export function CreateApp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [mode, setMode] = useState<AppMode>('chat');
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const create = useAct(() => appApi.create({ name: name.trim(), mode, description: description.trim() }), {
    quiet: true,
    done: async (app) => {
      await refreshApps(client);
      setName('');
      setDescription('');
      void navigate(`/apps/${app.id}`);
    },
  });
  return (
    <Modal opened={open} onClose={onClose} size="xl" title={t('studio:create.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) create.mutate();
        }}
      >
        <Stack>
          <Radio.Group value={mode} onChange={(value) => setMode(value)} aria-label={t('studio:create.mode')}>
            <div className={css.modes}>
              {MODES.map((value) => (
                <Radio.Card key={value} value={value} className={css.mode}>
                  <AppIcon size={36} app={{ mode: value }} />
                  <div>
                    <Text fw={600} fz="sm">
                      {t(`studio:mode.${value}.name`)}
                    </Text>
                    <Text c="dimmed" fz="xs">
                      {t(`studio:mode.${value}.text`)}
                    </Text>
                  </div>
                </Radio.Card>
              ))}
            </div>
          </Radio.Group>
          <TextInput
            label={t('studio:create.name')}
            placeholder={t('studio:create.namePlaceholder')}
            data-autofocus
            required
            withAsterisk={false}
            maxLength={100}
            value={name}
            error={create.error ? text(create.error) : undefined}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Textarea
            label={t('studio:create.description')}
            autosize
            minRows={2}
            maxRows={5}
            maxLength={400}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} disabled={!name.trim()}>
              {t('action.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
