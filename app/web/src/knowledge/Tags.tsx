import { TagsInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';

import { knowledgeApi } from './api';

export function useTags() {
  return useQuery({ queryKey: ['datasets', 'tags'], queryFn: () => knowledgeApi.tags() });
}

/** The tags of a base: known ones are offered, new ones are made by typing them. */
export function TagsField({ value, onChange }: { value: string[]; onChange: (names: string[]) => void }) {
  const { t } = useTranslation();
  const tags = useTags();
  return <TagsInput label={t('knowledge:tags.title')} description={t('knowledge:tags.text')} maxLength={50} value={value} onChange={onChange} data={(tags.data?.data ?? []).map((tag) => tag.name)} />;
}
