import { ErrorCode } from '../errors.ts';
import {
  type JoinReply,
  type JoinRequest,
  Member,
  refuseJoin,
  refuseSync,
  type SyncReply,
} from './member.ts';
import { PendingMembers } from './pending-members.ts';

/**
 * Where a group stands. A rebalance is prepared until every member has joined again, or the time for that has run out;
 * then a generation begins, and it is completed by the leader's decision who reads what.
 */
type GroupState =
  | { name: 'Empty' }
  | { name: 'PreparingRebalance'; timer: NodeJS.Timeout; isFirst: boolean }
  | { name: 'CompletingRebalance' }
  | { name: 'Stable' };

/** Settings of a group. Durations are in ms. */
export interface GroupOptions {
  initialRebalanceDelayMs: number;
  minSessionTimeoutMs: number;
  /** Called when the last member is gone. */
  onEmpty: () => void;
}

/** Longest session timeout that a member may ask for, as in Apache Kafka. */
const maxSessionTimeoutMs = 1_800_000;

/**
 * One consumer group: its members, its generation and its state, for the classic rebalance protocol. Static membership
 * is left out: a member with a `group.instance.id` is one like any other.
 */
export class ConsumerGroup {
  readonly #options: GroupOptions;
  /** By id, the oldest first. */
  readonly #members = new Map<string, Member>();
  readonly #pendingMembers = new PendingMembers();
  #state: GroupState = { name: 'Empty' };
  #generation = 0;
  #protocol = '';
  #leaderId = '';

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  get stateName(): GroupState['name'] {
    return this.#state.name;
  }

  get members(): Member[] {
    return [...this.#members.values()];
  }

  get protocolType(): string {
    return this.members[0]?.request.protocolType ?? '';
  }

  /** The protocol that the members agreed on; empty before they have. */
  get protocol(): string {
    return this.#protocol;
  }

  /** Takes a member in. Resolves when the next generation begins, or at once with why not. */
  async join(request: JoinRequest): Promise<JoinReply> {
    const { memberId } = request;
    const error = this.#validate(request);
    if (error !== ErrorCode.NONE) return this.#refuse(error, memberId);
    if (memberId === '') return refuseJoin(ErrorCode.MEMBER_ID_REQUIRED, this.#invite(request));
    const known = this.#members.get(memberId);
    const member = known ?? this.#admit(request);
    if (!member) return this.#refuse(ErrorCode.UNKNOWN_MEMBER_ID, memberId);
    const isSame = known?.update(request) === 'same';
    if (isSame && !this.#startsRebalance(member)) {
      member.renewSession();
      return this.#joinReplyFor(member);
    }
    const reply = member.waitForJoin();
    this.#prepareRebalance();
    return reply;
  }

  /** Takes the leader's decision, or gives a member its part of it as soon as it is known. */
  async sync(memberId: string, generation: number, assignments: Map<string, Buffer>): Promise<SyncReply> {
    const error = this.#renewSession(memberId, generation);
    const member = this.#members.get(memberId);
    if (!member || error !== ErrorCode.NONE) return refuseSync(error);
    switch (this.#state.name) {
      case 'Empty':
      case 'PreparingRebalance':
        return refuseSync(ErrorCode.REBALANCE_IN_PROGRESS);
      case 'CompletingRebalance': {
        const reply = member.waitForSync();
        if (memberId === this.#leaderId) this.#stabilise(assignments);
        return reply;
      }
      case 'Stable':
        return { error, assignment: member.assignment };
      default:
        return assertNever(this.#state);
    }
  }

  /** Renews a member's session, and tells it when it has to join again. */
  heartbeat(memberId: string, generation: number): ErrorCode {
    const error = this.#renewSession(memberId, generation);
    const isTooLate = this.#state.name === 'PreparingRebalance';
    return error === ErrorCode.NONE && isTooLate ? ErrorCode.REBALANCE_IN_PROGRESS : error;
  }

  /** Tells whether a member may commit offsets, and renews its session. */
  admitCommit(memberId: string, generation: number): ErrorCode {
    const error = this.#renewSession(memberId, generation);
    const isTooEarly = this.#state.name === 'CompletingRebalance';
    return error === ErrorCode.NONE && isTooEarly ? ErrorCode.REBALANCE_IN_PROGRESS : error;
  }

  /** Takes a member out, as it asked or because its session ran out. */
  leave(memberId: string): ErrorCode {
    const member = this.#members.get(memberId);
    const isKnown = this.#pendingMembers.take(memberId) || member !== undefined;
    this.#members.delete(memberId);
    member?.dismiss(ErrorCode.UNKNOWN_MEMBER_ID);
    if (member && this.#members.size > 0) this.#prepareRebalance();
    this.#settle();
    return isKnown ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
  }

  /** Lets everyone go, without a rebalance and without a timer left. */
  close(): void {
    this.#switchTo({ name: 'Empty' });
    this.#pendingMembers.clear();
    for (const member of this.members) member.dismiss(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    this.#members.clear();
  }

  #validate({ sessionTimeoutMs, protocolType, protocols }: JoinRequest): ErrorCode {
    if (sessionTimeoutMs < this.#options.minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs)
      return ErrorCode.INVALID_SESSION_TIMEOUT;

    const { members } = this;
    const isOfType = members.length === 0 || protocolType === this.protocolType;
    const hasCommon = protocols.some(({ name }) => members.every(member => member.supports(name)));
    return isOfType && hasCommon ? ErrorCode.NONE : ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  }

  #refuse(error: ErrorCode, memberId: string): JoinReply {
    this.#settle();
    return refuseJoin(error, memberId);
  }

  #invite({ clientId, sessionTimeoutMs }: JoinRequest): string {
    return this.#pendingMembers.give(clientId, sessionTimeoutMs, () => this.#settle());
  }

  #admit(request: JoinRequest): Member | undefined {
    const { memberId } = request;
    if (!this.#pendingMembers.take(memberId)) return undefined;
    const member = new Member(request, () => this.leave(memberId));
    this.#members.set(memberId, member);
    return member;
  }

  /** Checks that a request comes from a member which knows the present generation, and is a sign of life then. */
  #renewSession(memberId: string, generation: number): ErrorCode {
    const member = this.#members.get(memberId);
    if (!member) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (generation !== this.#generation) return ErrorCode.ILLEGAL_GENERATION;
    member.renewSession();
    return ErrorCode.NONE;
  }

  /** Tells whether a member that offers the same as before starts a rebalance when it joins again. */
  #startsRebalance(member: Member): boolean {
    switch (this.#state.name) {
      case 'Empty':
      case 'PreparingRebalance':
        return true;
      case 'CompletingRebalance':
        return false; // It missed the answer that began this generation.
      case 'Stable':
        return member.id === this.#leaderId; // It saw that there are other partitions to share out.
      default:
        return assertNever(this.#state);
    }
  }

  #prepareRebalance(): void {
    if (this.#state.name !== 'PreparingRebalance') {
      for (const member of this.members) member.replyToSync(refuseSync(ErrorCode.REBALANCE_IN_PROGRESS));
      const isFirst = this.#state.name === 'Empty';
      const timeoutMs = isFirst
        ? this.#options.initialRebalanceDelayMs
        : Math.max(...this.members.map(member => member.request.rebalanceTimeoutMs));
      const timer = setTimeout(() => this.#beginGeneration(), timeoutMs);
      this.#switchTo({ name: 'PreparingRebalance', timer, isFirst });
    }
    this.#settle();
  }

  /** Begins the generation that all have joined, and notices when nobody is left. */
  #settle(): void {
    const { members } = this;
    if (members.length === 0) {
      this.#switchTo({ name: 'Empty' });
      if (this.#pendingMembers.size === 0) this.#options.onEmpty();
      return;
    }
    const isExpecting = this.#pendingMembers.size > 0 || members.some(member => !member.isJoining);
    if (this.#state.name === 'PreparingRebalance' && !this.#state.isFirst && !isExpecting)
      this.#beginGeneration();
  }

  #beginGeneration(): void {
    for (const member of this.members)
      if (!member.isJoining && this.#members.delete(member.id)) member.dismiss(ErrorCode.UNKNOWN_MEMBER_ID);

    const { members } = this;
    const leader = this.#members.get(this.#leaderId) ?? members[0];
    if (!leader) {
      this.#settle();
      return;
    }
    const common = leader.request.protocols.find(({ name }) =>
      members.every(member => member.supports(name)),
    );
    this.#protocol = common?.name ?? '';
    this.#leaderId = leader.id;
    this.#generation++;
    this.#switchTo({ name: 'CompletingRebalance' });
    for (const member of members) member.replyToJoin(this.#joinReplyFor(member));
  }

  #joinReplyFor({ id: memberId }: Member): JoinReply {
    const told = memberId === this.#leaderId ? this.members : [];
    return {
      error: ErrorCode.NONE,
      generation: this.#generation,
      protocol: this.#protocol,
      leaderId: this.#leaderId,
      memberId,
      members: told.map(member => ({ memberId: member.id, metadata: member.metadataFor(this.#protocol) })),
    };
  }

  #stabilise(assignments: Map<string, Buffer>): void {
    this.#switchTo({ name: 'Stable' });
    for (const member of this.members) {
      member.assignment = assignments.get(member.id) ?? Buffer.alloc(0);
      member.replyToSync({ error: ErrorCode.NONE, assignment: member.assignment });
    }
  }

  #switchTo(state: GroupState): void {
    if (this.#state.name === 'PreparingRebalance') clearTimeout(this.#state.timer);
    this.#state = state;
  }
}

function assertNever(state: never): never {
  throw new Error(`a group is in a state that is not known: ${JSON.stringify(state)}`);
}
