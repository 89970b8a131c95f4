import { ActionIcon, Button, Group, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';

import { Section } from '@/ui/states';

import type { SectionProps } from './InstructionSection';

const MAX_QUESTIONS = 10;

/** How a conversation begins and goes on. */
export function OpenerSection({ config, change }: SectionProps) {
  const { t } = useTranslation();
  const questions = config.suggested_questions ?? [];
  return (
    <Section id="opener" title={t('prompt:opener.title')} description={t('prompt:opener.text')}>
      <Stack>
        <Textarea
          label={t('prompt:opener.greeting')}
          placeholder={t('prompt:opener.placeholder')}
          autosize
          minRows={2}
          maxRows={8}
          value={config.opening_statement ?? ''}
          onChange={(event) => change({ opening_statement: event.currentTarget.value })}
        />
        <div>
          <Text fz="sm" fw={500} mb={6}>
            {t('prompt:opener.questions')}
          </Text>
          <Stack gap={8}>
            {questions.map((question, index) => (
              <Group key={index} gap={6} wrap="nowrap">
                <TextInput
                  flex={1}
                  aria-label={t('prompt:opener.question', { n: index + 1 })}
                  value={question}
                  onChange={(event) => {
                    const value = event.currentTarget.value;
                    change({ suggested_questions: questions.map((q, i) => (i === index ? value : q)) });
                  }}
                />
                <ActionIcon aria-label={t('prompt:opener.removeQuestion', { n: index + 1 })} onClick={() => change({ suggested_questions: questions.filter((_, i) => i !== index) })}>
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            ))}
            {questions.length < MAX_QUESTIONS ? (
              <Button variant="subtle" size="xs" w="fit-content" leftSection={<IconPlus size={16} />} onClick={() => change({ suggested_questions: [...questions, ''] })}>
                {t('prompt:opener.addQuestion')}
              </Button>
            ) : null}
          </Stack>
        </div>
        <Switch
          label={t('prompt:opener.followUps')}
          description={t('prompt:opener.followUpsText')}
          checked={config.suggested_questions_after_answer?.enabled ?? false}
          onChange={(event) => change({ suggested_questions_after_answer: { ...config.suggested_questions_after_answer, enabled: event.currentTarget.checked } })}
        />
      </Stack>
    </Section>
  );
}
