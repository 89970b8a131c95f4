import { Pagination, Stack, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import type { Page } from '@/api/types';
import { useTranslation } from '@/i18n';

import { Empty, Failed, RowSkeletons } from './states';

/** Which page of a list is shown and what is looked for in it; another word begins at the first page. */
export function useListing() {
  const [page, setPage] = useState(1);
  const [keyword, setKeyword] = useState('');
  const [settled] = useDebouncedValue(keyword.trim(), 300);
  const look = (text: string) => {
    setKeyword(text);
    setPage(1);
  };
  return { page, setPage, keyword, look, wanted: settled };
}

type Place = ReturnType<typeof useListing>;

export function SearchField({ label, place }: { label: string; place: Place }) {
  return (
    <TextInput
      flex={{ base: '1 1 100%', xs: '0 1 320px' }}
      type="search"
      leftSection={<IconSearch size={16} />}
      aria-label={label}
      placeholder={label}
      value={place.keyword}
      onChange={(event) => place.look(event.currentTarget.value)}
    />
  );
}

/** A page of rows as a table with its pages below; says so while it loads, when it fails and when nothing is there. */
export function Listing<T>({
  query,
  place,
  filtered,
  none,
  noneText,
  head,
  children,
}: {
  query: UseQueryResult<Page<T>>;
  place: Pick<Place, 'page' | 'setPage'>;
  /** Whether only some rows were asked for: then an empty list is no news. */
  filtered: boolean;
  none: string;
  noneText: string;
  /** The head's cells. */
  head: ReactNode;
  children: (row: T) => ReactNode;
}) {
  const { t } = useTranslation();
  if (query.isPending) return <RowSkeletons />;
  if (query.error) return <Failed error={query.error} retry={() => query.refetch()} />;
  const { data, total, limit } = query.data;
  return (
    <Stack>
      {data.length === 0 ? (
        <Empty title={filtered ? t('state.noMatch') : none}>{filtered ? null : noneText}</Empty>
      ) : (
        <Table.ScrollContainer minWidth={300}>
          <Table verticalSpacing="sm" highlightOnHover>
            <Table.Thead><Table.Tr>{head}</Table.Tr></Table.Thead>
            <Table.Tbody>{data.map(children)}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {total > limit ? <Pagination value={place.page} onChange={place.setPage} total={Math.ceil(total / limit)} /> : null}
    </Stack>
  );
}
