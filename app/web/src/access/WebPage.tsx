import { ActionIcon, Alert, Button, Group, Modal, Stack, Switch, Text, Textarea, TextInput, Tooltip } from '@mantine/core';
import { IconExternalLink, IconPencil } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { App } from '@/api/types';
import { useTranslation } from '@/i18n';
import { useFlowDraft } from '@/canvas/draft';
import { useConfigDraft } from '@/prompt/useModelConfig';
import { appApi, refreshApps } from '@/studio/api';
import { isGraph } from '@/studio/AppFrame';
import { useErrorText } from '@/ui/errors';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { Address } from './Address';
import { QrCode } from './QrCode';

/** Where visitors find an app. */
export function pageAddress(app: App): string {
  const kind = app.mode === 'workflow' || app.mode === 'completion' ? app.mode : 'chat';
  return `${window.location.origin}/${kind}/${app.id}`;
}

const FIELDS = ['title', 'description', 'copyright', 'privacy_policy', 'custom_disclaimer'] as const;

/** What the page says besides the app itself. */
function Words({ app, onClose }: { app: App; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [site, setSite] = useState<Record<string, string>>(() => Object.fromEntries(FIELDS.map((name) => [name, typeof app.site[name] === 'string' ? app.site[name] : ''])));
  const save = useAct(() => appApi.update(app.id, { site: { ...app.site, ...site } }), {
    quiet: true,
    done: async () => {
      await refreshApps(client);
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={t('access:page.words')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          {FIELDS.map((name, index) => {
            const Field = name === 'description' || name === 'custom_disclaimer' ? Textarea : TextInput;
            return (
              <Field
                key={name}
                data-autofocus={index === 0 || undefined}
                label={t(`access:page.${name}`)}
                placeholder={name === 'title' ? app.name : name === 'privacy_policy' ? 'https://…' : undefined}
                maxLength={name === 'title' ? 100 : 1000}
                value={site[name] ?? ''}
                onChange={(event: { currentTarget: { value: string } }) => {
                  const { value } = event.currentTarget;
                  setSite((now) => ({ ...now, [name]: value }));
                }}
              />
            );
          })}
          {save.error ? <Text role="alert" fz="sm" c="var(--mantine-color-error)">{text(save.error)}</Text> : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** The app's page for visitors: its address, and whether it is open. */
export function WebPage({ app }: { app: App }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [words, setWords] = useState(false);
  const turn = useAct((enable_site: boolean) => appApi.update(app.id, { enable_site }), { done: () => refreshApps(client) });
  const address = pageAddress(app);
  const flow = isGraph(app);
  const config = useConfigDraft(app.id, !flow);
  const graph = useFlowDraft(app.id, flow);
  const draft = flow ? graph : config;
  const open = turn.isPending ? turn.variables : app.enable_site;
  return (
    <Section
      id="page"
      title={t('access:page.heading')}
      description={t('access:page.text')}
      action={<Switch aria-label={t('access:page.switch')} checked={open} disabled={turn.isPending} onChange={(event) => turn.mutate(event.currentTarget.checked)} />}
    >
      {!open ? (
        <Text fz="sm" c="dimmed">{t('access:page.closed')}</Text>
      ) : (
        <Group align="flex-start" gap="lg">
          <Stack flex="1 1 300px" gap="sm" miw={0}>
            {!app.published ? <Alert color="sparrow">{t('access:unpublished')}</Alert> : draft.data?.published === false ? <Alert color="sparrow">{t(flow ? 'access:changedFlow' : 'access:changed')}</Alert> : null}
            <Address value={address} label={t('access:page.address')}>
              <Tooltip label={t('access:page.open')}>
                <ActionIcon component="a" href={address} target="_blank" rel="noreferrer" aria-label={t('access:page.open')}>
                  <IconExternalLink size={16} />
                </ActionIcon>
              </Tooltip>
            </Address>
            <Text fz="sm" c="dimmed">{t('access:page.qrText')}</Text>
            <Button variant="default" size="xs" w="fit-content" leftSection={<IconPencil size={16} />} onClick={() => setWords(true)}>
              {t('access:page.words')}
            </Button>
          </Stack>
          <QrCode value={address} label={t('access:page.qr')} />
        </Group>
      )}
      {words ? <Words app={app} onClose={() => setWords(false)} /> : null}
    </Section>
  );
}
