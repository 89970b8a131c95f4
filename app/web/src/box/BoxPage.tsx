import { Alert, Anchor, Badge, Button, Group, List, Progress, SegmentedControl, SimpleGrid, Stack, Table, Text, useMantineColorScheme } from '@mantine/core';
import { IconAlertTriangle, IconCertificate, IconCircleCheck, IconExternalLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { Health } from '@/api/types';
import { currentLanguage, serverLanguage, switchLanguage, type Language } from '@/i18n';
import { ago, bytes } from '@/ui/format';
import { Page } from '@/ui/Page';
import { LANGUAGES } from '@/ui/Preferences';
import { serverText } from '@/ui/serverText';
import { Failed, RowSkeletons, Section } from '@/ui/states';

import { ChangePassword } from './ChangePassword';

const KNOWN = ['api', 'worker', 'redis', 'chroma', 'caddy', 'screen', 'llm'] as const;

function Meter({ label, total, free }: { label: string; total: number; free: number }) {
  const { t } = useTranslation();
  const used = total > 0 ? ((total - free) / total) * 100 : 0;
  return (
    <div>
      <Group justify="space-between" mb={6}>
        <Text fz="sm" fw={550}>{label}</Text>
        <Text fz="sm" c="dimmed" className="sp-num">{t('box:free', { free: bytes(free), total: bytes(total) })}</Text>
      </Group>
      <Progress value={used} color={used > 95 ? 'brick' : used > 85 ? 'sparrow.5' : 'moss.5'} aria-label={label} />
    </div>
  );
}

function HealthSection() {
  const { t } = useTranslation();
  const health = useQuery({ queryKey: ['health'], queryFn: () => http.get<Health>('/health'), refetchInterval: 5000 });
  if (health.isPending) return <RowSkeletons n={4} />;
  if (!health.data) return <Failed error={health.error} retry={() => health.refetch()} />;
  const { status, programs, disk, memory, problems } = health.data;
  const good = status === 'ok';
  return (
    <Section
      title={t('box:health.title')}
      description={t('box:version', { version: health.data.version })}
      action={
        <Badge size="lg" variant="light" tt="none" color={good ? 'moss' : status === 'error' ? 'brick' : 'sparrow'} leftSection={good ? <IconCircleCheck size={16} /> : <IconAlertTriangle size={16} />}>
          {t(`box:health.${status}`)}
        </Badge>
      }
    >
      <Stack gap="lg">
        {problems?.length ? (
          <Alert color={status === 'error' ? 'brick' : 'sparrow'} icon={<IconAlertTriangle size={20} />}>
            <List fz="sm" spacing={4}>
              {problems.map((p, i) => <List.Item key={i}>{p.detail ? `${serverText(p.message)} (${p.detail})` : serverText(p.message)}</List.Item>)}
            </List>
          </Alert>
        ) : null}
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          {disk ? <Meter label={t('box:disk')} total={disk.total} free={disk.free} /> : null}
          {memory?.total ? <Meter label={t('box:memory')} total={memory.total} free={memory.available ?? memory.free ?? 0} /> : null}
        </SimpleGrid>
        <Table.ScrollContainer minWidth={280}>
          <Table verticalSpacing={10}>
            <Table.Thead>
              <Table.Tr><Table.Th>{t('box:program')}</Table.Th><Table.Th>{t('box:state')}</Table.Th><Table.Th visibleFrom="sm">{t('box:since')}</Table.Th></Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {programs.map((program) => {
                const known = KNOWN.find((name) => name === program.name);
                const state = program.state.toUpperCase();
                return (
                  <Table.Tr key={program.name}>
                    <Table.Td>
                      <Text fz="sm" fw={550}>{program.name}</Text>
                      {known ? <Text fz="xs" c="dimmed">{t(`box:about.${known}`)}</Text> : null}
                    </Table.Td>
                    <Table.Td>
                      <Badge variant="light" tt="none" color={state === 'RUNNING' ? 'moss' : state === 'FATAL' || state === 'BACKOFF' ? 'brick' : 'gray'}>
                        {state === 'RUNNING' ? t('box:running') : state === 'STOPPED' ? t('box:stopped') : program.state}
                      </Badge>
                      {program.detail ? <Text fz="xs" c="dimmed">{program.detail}</Text> : null}
                    </Table.Td>
                    <Table.Td visibleFrom="sm">{ago(program.since)}</Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Stack>
    </Section>
  );
}

export default function BoxPage() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const speak = async (language: Language) => {
    await switchLanguage(language);
    // The device keeps its own choice; the box remembers it for its screen.
    await http.patch('/account', { language: serverLanguage() }).catch(() => undefined);
  };
  return (
    <Page title={t('box:title')} description={t('box:text')}>
      <Stack gap="lg">
        <HealthSection />
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Section title={t('box:look')}>
            <Stack>
              <div>
                <Text fz="sm" fw={500} mb={6}>{t('language.label')}</Text>
                <SegmentedControl aria-label={t('language.label')} fullWidth data={LANGUAGES} value={currentLanguage()} onChange={(value) => void speak(value)} />
              </div>
              <div>
                <Text fz="sm" fw={500} mb={6}>{t('theme.label')}</Text>
                <SegmentedControl
                  aria-label={t('theme.label')} fullWidth value={colorScheme}
                  onChange={(value) => setColorScheme(value)}
                  data={(['light', 'dark', 'auto'] as const).map((value) => ({ value, label: t(`theme.${value}`) }))}
                />
              </div>
            </Stack>
          </Section>
          <Section title={t('box:password.title')} description={t('box:password.text')}>
            <ChangePassword />
          </Section>
        </SimpleGrid>
        <Section title={t('box:ca.title')} description={t('box:ca.text')}>
          <Group mb="md">
            <Button component="a" href="/ca" download="sparrow-ca.crt" leftSection={<IconCertificate size={18} />}>{t('box:ca.download')}</Button>
            <Anchor href="/console/api/openapi.json" target="_blank" fz="sm">
              <Group gap={6}><IconExternalLink size={16} aria-hidden />{t('box:openapi')}</Group>
            </Anchor>
          </Group>
          <List spacing={6} fz="sm">
            {(['windows', 'mac', 'ios', 'android', 'linux'] as const).map((system) => (
              <List.Item key={system}><b>{t(`box:ca.${system}.name`)}</b> {t(`box:ca.${system}.how`)}</List.Item>
            ))}
          </List>
        </Section>
      </Stack>
    </Page>
  );
}
