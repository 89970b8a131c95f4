import { Pagination, Stack, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { useSearchParams } from 'react-router';

import type { Page } from '@/api/types';
import { useTranslation } from '@/i18n';

import { Empty, Failed, RowSkeletons } from './states';

/** Keeps what a page shows in its address, so that going back, reloading or a link shows it again; nothing for ''. */
export function useAddress(shown: Record<string, string>) {
  const [params, setParams] = useSearchParams();
  const wanted = new URLSearchParams(params);
  for (const [name, value] of Object.entries(shown)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  const next = wanted.toString();
  const differs = next !== params.toString();
  useEffect(() => {
    if (differs) setParams(next, { replace: true });
  }, [differs, next, setParams]);
}

/** Which page of a list is shown and what is looked for in it; another word begins at the first page. */
export function useListing() {
  const [params] = useSearchParams();
  const [page, setPage] = useState(() => Math.max(1, Math.floor(Number(params.get('page'))) || 1));
  const [keyword, setKeyword] = useState(() => params.get('q') ?? '');
  const [settled] = useDebouncedValue(keyword.trim(), 300);
  useAddress({ page: page > 1 ? String(page) : '', q: settled });
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

/** The pages of a list, when it has several; what is no page any more shows the last one. */
export function Pages({ of, place }: { of: Pick<Page<unknown>, 'total' | 'limit'>; place: Pick<Place, 'page' | 'setPage'> }) {
  const { t } = useTranslation();
  const { page, setPage } = place;
  const last = Math.max(1, Math.ceil(of.total / of.limit));
  useEffect(() => {
    if (page > last) setPage(last);
  }, [page, last, setPage]);
  if (last === 1) return null;
  return (
    <nav aria-label={t('pages.label')}>
      <Pagination
        value={page}
        onChange={(next) => {
          setPage(next);
          window.scrollTo(0, 0);
        }}
        total={last}
        getItemProps={(number) => ({ 'aria-label': t('pages.page', { n: number }) })}
        getControlProps={(control) => ({ 'aria-label': t(control === 'previous' ? 'pages.previous' : 'pages.next') })}
      />
    </nav>
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
  const { data } = query.data;
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
      <Pages of={query.data} place={place} />
    </Stack>
  );
}
