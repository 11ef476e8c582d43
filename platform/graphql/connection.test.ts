import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor, maxPageSize, readPage, toConnection } from './connection.ts';

describe('a page request', () => {
  test('has a default size, and begins at the beginning', () => {
    expect(readPage('things', {})).toEqual({ first: 20, afterKey: undefined });
  });

  test('goes on after the key in its cursor', () => {
    const after = encodeCursor('things', 'key: with “signs”');
    expect(readPage('things', { first: 3, after })).toEqual({ first: 3, afterKey: 'key: with “signs”' });
  });

  test.each([0, -1, maxPageSize + 1])('of %d nodes is refused', first => {
    expect(() => readPage('things', { first })).toThrow(
      `'first' must be from 1 to ${maxPageSize}; it is ${first}`,
    );
  });

  test.each(['', 'x', 'dGhpbmdz', encodeCursor('others', '1'), `${encodeCursor('things', '1')}=`])(
    'after the foreign cursor %j is refused',
    after => {
      expect(() => readPage('things', { after })).toThrow(
        expect.objectContaining({ code: 'BAD_USER_INPUT', details: { field: 'after' } }),
      );
    },
  );

  test('with a key that does not look like one is refused', () => {
    expect(() => decodeCursor('things', encodeCursor('things', "1'; DROP TABLE"), /^\d+$/)).toThrow(
      expect.objectContaining({ code: 'BAD_USER_INPUT' }),
    );
  });
});

describe('a connection', () => {
  const rows = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

  test('says whether there is a next page by the row that was read beyond it', () => {
    const page = { first: 2, afterKey: undefined };
    const { edges, pageInfo } = toConnection('things', rows, page, row => row.id);
    expect(edges.map(edge => edge.node.id)).toEqual(['a', 'b']);
    expect(pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: encodeCursor('things', 'a'),
      endCursor: encodeCursor('things', 'b'),
    });
  });

  test('of no rows has no cursors', () => {
    const { edges, pageInfo } = toConnection<{ id: string }>(
      'things',
      [],
      { first: 2, afterKey: 'z' },
      row => row.id,
    );
    expect(edges).toEqual([]);
    expect(pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: true,
      startCursor: null,
      endCursor: null,
    });
  });
});
