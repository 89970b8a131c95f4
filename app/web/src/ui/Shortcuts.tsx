import { Kbd, Modal, Stack, Table, Text } from '@mantine/core';

import { useTranslation } from '@/i18n';

import { COMMAND, NAV } from './places';

/** What the keys do. */
export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const rows: [string[], string][] = [
    [[COMMAND], t('keys.palette')],
    [['/'], t('keys.search')],
    ...NAV.map<[string[], string]>(({ letter, key }) => [['G', letter.toUpperCase()], t('keys.goTo', { page: t(key) })]),
    [['Enter'], t('keys.send')],
    [['Shift Enter'], t('keys.line')],
    [['Esc'], t('keys.close')],
    [['?'], t('keys.help')],
  ];
  return (
    <Modal opened onClose={onClose} title={t('keys.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Table verticalSpacing={6} withRowBorders={false}>
          <Table.Tbody>
            {rows.map(([keys, what]) => (
              <Table.Tr key={what}>
                <Table.Th scope="row" w={140} fw={400}>
                  {keys.map((key, i) => <span key={key}>{i ? ' ' : ''}<Kbd>{key}</Kbd></span>)}
                </Table.Th>
                <Table.Td>{what}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <Text fz="xs" c="dimmed">{t('keys.text')}</Text>
      </Stack>
    </Modal>
  );
}
