import { Button, Group, Stack, TagsInput, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { http } from '@/api/http';
import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { done } from '@/ui/notify';
import { Failed, RowSkeletons, Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

interface Rules {
  allow: string[];
  deny: string[];
}

/** Where tools and HTTP steps may connect to: what the admin allows or forbids besides the built-in guard. */
export function Outbound() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const key = ['tools', 'outbound'];
  const stored = useQuery({ queryKey: key, queryFn: () => http.get<Rules>('/outbound-rules') });
  const [draft, setDraft] = useState<Rules | null>(null);
  const save = useAct((rules: Rules) => http.put<Rules>('/outbound-rules', rules), {
    quiet: true,
    done: (rules) => {
      client.setQueryData(key, rules);
      setDraft(null);
      done(t('state.saved'));
    },
  });
  const rules = draft ?? stored.data;
  return (
    <Section id="outbound" title={t('tools:outbound.title')} description={t('tools:outbound.text')}>
      {stored.error ? (
        <Failed error={stored.error} retry={() => stored.refetch()} />
      ) : !rules ? (
        <RowSkeletons n={2} />
      ) : (
        <Stack gap="sm">
          <TagsInput label={t('tools:outbound.allow')} description={t('tools:outbound.allowText')} placeholder="10.0.0.0/8" splitChars={[',', ' ']} acceptValueOnBlur value={rules.allow} onChange={(allow) => setDraft({ ...rules, allow })} />
          <TagsInput label={t('tools:outbound.deny')} description={t('tools:outbound.denyText')} placeholder="example.com" splitChars={[',', ' ']} acceptValueOnBlur value={rules.deny} onChange={(deny) => setDraft({ ...rules, deny })} />
          {save.error ? <Text role="alert" fz="sm" c="var(--mantine-color-error)">{text(save.error)}</Text> : null}
          {draft ? (
            <Group>
              <Button loading={save.isPending} onClick={() => save.mutate(draft)}>{t('action.save')}</Button>
              <Button variant="default" onClick={() => { setDraft(null); save.reset(); }}>{t('action.cancel')}</Button>
            </Group>
          ) : null}
        </Stack>
      )}
    </Section>
  );
}
