"""Small algorithms that behave like oyster and rlkit at every seam that relabeling
touches, and like the ways their descendants differ.

They do real (tiny) gradient updates, keep a `trace` of everything that relabeling could
disturb, and know nothing of relabeling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from standin_buffers import Buffer, RlkitBuffer
from torch import nn
from torch.nn import functional as F
from worlds import ACT, OBS, PointWorld, Z


class _Logger:
    def __init__(self) -> None:
        self.row: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []

    def record_tabular(self, key: str, value: Any) -> None:
        self.row[key] = value

    def dump(self) -> None:
        self.rows.append(self.row)
        self.row = {}


logger = _Logger()


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 12), nn.Tanh(), nn.Linear(12, outputs))


class Critic(nn.Module):
    def __init__(self, width: int = OBS + ACT + Z) -> None:
        super().__init__()
        self.net = mlp(width, 1)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.net(torch.cat(inputs, dim=-1))


class Policy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(OBS + Z, 2 * ACT)

    def forward(
        self, x: torch.Tensor, deterministic: bool = False, return_log_prob: bool = False
    ) -> tuple[Any, ...]:
        mean, log_std = self.net(x).chunk(2, dim=-1)
        action = torch.tanh(mean if deterministic else mean + log_std.exp() * torch.randn_like(mean))
        return action, mean, log_std, None


class Encoder(nn.Module):
    def __init__(self, width: int = OBS + ACT + 1, outputs: int = 2 * Z) -> None:
        super().__init__()
        self.input_size, self.output_size = width, outputs
        self.net = mlp(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class Agent(nn.Module):
    """oyster's: inference overwrites z, z_means and z_vars and draws from torch's global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.context_encoder, self.policy = Z, Encoder(), Policy()
        self.clear_z()

    def clear_z(self) -> None:
        self.z_means, self.z_vars, self.context = torch.zeros(1, Z), torch.ones(1, Z), None
        self.sample_z()

    def sample_z(self) -> None:
        self.z = self.z_means + self.z_vars.sqrt() * torch.randn_like(self.z_means)

    def infer_posterior(self, context: torch.Tensor) -> None:
        params = self.context_encoder(context)
        precision = 1.0 / F.softplus(params[..., Z:]).clamp(min=1e-7)
        self.z_vars = 1.0 / precision.sum(dim=1)
        self.z_means = self.z_vars * (params[..., :Z] * precision).sum(dim=1)
        self.sample_z()

    def act(self, obs: np.ndarray) -> np.ndarray:
        x = torch.cat([torch.as_tensor(obs, dtype=torch.float32)[None], self.z], dim=1)
        return self.policy(x)[0][0].detach().numpy()


class OysterLike:
    """Nets on the algorithm, `sample_context`, separate buffers, clears its own inner
    buffers at each visit.
    """

    task_ids: tuple[Any, ...] = (0, 1, 2, 3)
    sparse_rewards = False
    use_next_obs_in_context = False
    use_information_bottleneck = True
    prior_paths, posterior_paths, rl_only_paths = 2, 1, 1

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        self.env: Any = self.make_env(seed)
        self.train_tasks: Any = list(self.task_ids)
        self.reward_scale, self.discount, self.embedding_batch_size = 3.0, 0.9, 10
        self.replay_buffer, self.enc_replay_buffer = self.make_buffers()
        self.agent = self.make_agent()
        self.make_nets()
        self.optimizer = torch.optim.SGD(
            [p for net in [self.agent, *self.critics()] for p in net.parameters()], lr=1e-3
        )
        self.trace: list[Any] = []
        self.collected: dict[Any, list[dict[str, Any]]] = {task: [] for task in self.task_ids}

    def make_env(self, seed: int) -> Any:
        return PointWorld(n_tasks=max(self.task_ids) + 1, seed=seed)

    def make_buffers(self) -> tuple[Any, Any]:
        return Buffer(self.task_ids), Buffer(self.task_ids)

    def make_agent(self) -> Any:
        return Agent()

    def make_nets(self) -> None:
        self.qf1, self.qf2 = Critic(), Critic()
        self.vf, self.target_vf = Critic(OBS + Z), Critic(OBS + Z)

    def critics(self) -> list[nn.Module]:
        return [self.qf1, self.qf2]

    def rollout(self, task: Any, length: int = 6) -> dict[str, Any]:
        self.env.reset_task(task)
        obs, steps = self.env.reset(), []
        for _ in range(length):
            action = self.agent.act(obs)
            next_obs, reward, done, info = self.env.step(action)
            steps.append((obs, action, reward, next_obs, done, info))
            obs = next_obs
        o, a, r, o2, d, infos = zip(*steps)
        path = dict(
            observations=np.array(o),
            actions=np.array(a),
            rewards=np.array(r).reshape(-1, 1),
            next_observations=np.array(o2),
            terminals=np.array(d).reshape(-1, 1),
            agent_infos=[{}] * length,
            env_infos=list(infos),
        )
        self.collected[task].append(path)
        return path

    def add(self, task: Any, paths: list[dict[str, Any]], to_encoder: bool) -> None:
        self.replay_buffer.add_paths(task, paths)
        if to_encoder:
            self.enc_replay_buffer.add_paths(task, paths)

    def visit(self, task: Any) -> None:
        self.enc_replay_buffer.task_buffers[task].clear()
        self.agent.clear_z()
        self.add(task, [self.rollout(task) for _ in range(self.prior_paths)], True)
        for i in range(self.posterior_paths + self.rl_only_paths):
            context = self.collection_context(task)
            self.trace.append(context.numpy().copy())
            self.agent.infer_posterior(context)
            self.add(task, [self.rollout(task)], i < self.posterior_paths)

    def context_from(self, batches: list[dict[str, np.ndarray]]) -> torch.Tensor:
        key = "sparse_rewards" if self.sparse_rewards else "rewards"
        rows = [np.concatenate([b["observations"], b["actions"], b[key]], axis=1) for b in batches]
        return torch.as_tensor(np.stack(rows), dtype=torch.float32)

    def sample_context(self, indices: Any) -> torch.Tensor:
        if not hasattr(indices, "__iter__"):
            indices = [indices]
        return self.context_from(
            [self.enc_replay_buffer.random_batch(idx, self.embedding_batch_size) for idx in indices]
        )

    def collection_context(self, task: Any) -> torch.Tensor:
        return self.sample_context(task)

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        context = self.sample_context(tasks)
        return context, [self.replay_buffer.random_batch(task, 8) for task in tasks]

    def update(self) -> None:
        tasks = np.random.choice(np.array(self.task_ids), 3)  # noqa: NPY002
        context, batches = self.training_batch(tasks)
        self.agent.infer_posterior(context)
        z = self.agent.z.repeat_interleave(8, dim=0)
        o, a, r = (
            torch.as_tensor(np.concatenate([b[key] for b in batches]), dtype=torch.float32)
            for key in ("observations", "actions", "rewards")
        )
        loss = sum((self.q(i, o, a, z) - self.reward_scale * r).square().mean() for i in range(2))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.trace.append(loss.item())

    def q(self, i: int, o: torch.Tensor, a: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.critics()[i](o, a, z)

    def train(self, iterations: int = 3) -> None:
        for iteration in range(iterations):
            if iteration == 0:
                for task in self.task_ids:
                    self.agent.clear_z()
                    self.add(task, [self.rollout(task) for _ in range(2)], True)
            for _ in range(3):
                self.visit(self.task_ids[np.random.randint(len(self.task_ids))])  # noqa: NPY002
            for _ in range(4):
                self.update()
            self._try_to_eval(iteration)

    def _try_to_eval(self, epoch: int) -> None:
        self.evaluate(epoch)
        logger.dump()

    def evaluate(self, epoch: int) -> None:
        context = self.collection_context(self.task_ids[0])
        logger.record_tabular("Eval", float(context.sum()))
        logger.record_tabular("Epoch", epoch)


class TanhNormal:
    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        self.normal_mean, self.normal_std = mean, std

    def sample(self) -> torch.Tensor:
        return torch.tanh(self.normal_mean + self.normal_std * torch.randn_like(self.normal_mean))


class DistributionPolicy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(OBS + Z, 2 * ACT)

    def forward(self, x: torch.Tensor) -> Any:
        mean, log_std = self.net(x).chunk(2, dim=-1)
        return TanhNormal(mean, log_std.exp())


class RlkitAgent(Agent):
    """A pure `latent_posterior` instead of a mutating inference."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = DistributionPolicy()

    def latent_posterior(self, context: torch.Tensor) -> torch.distributions.Normal:
        params = self.context_encoder(context)
        precision = 1.0 / F.softplus(params[..., Z:]).clamp(min=1e-7)
        variance = 1.0 / precision.sum(dim=1)
        return torch.distributions.Normal(
            variance * (params[..., :Z] * precision).sum(dim=1), variance.sqrt()
        )

    def infer_posterior(self, context: torch.Tensor) -> None:
        self.z = self.latent_posterior(context).rsample()

    def act(self, obs: np.ndarray) -> np.ndarray:
        x = torch.cat([torch.as_tensor(obs, dtype=torch.float32)[None], self.z], dim=1)
        return self.policy(x).sample()[0].detach().numpy()


class Trainer:
    pass


class RlkitLike(OysterLike):
    """Nets, reward scale and discount on a trainer; task descriptions in `train_tasks`;
    context from the buffer; evaluation asks for many.
    """

    def __init__(self, seed: int = 0) -> None:
        self.trainer = Trainer()
        super().__init__(seed)
        self.train_task_indices, self.train_tasks = list(self.task_ids), [np.zeros(2) for _ in self.task_ids]
        self.trainer.reward_scale, self.trainer.discount = 3.0, 0.9
        self.reward_scale = 1.0  # a decoy

    def make_nets(self) -> None:
        self.trainer.qf1, self.trainer.qf2 = Critic(), Critic()
        self.trainer.vf, self.trainer.target_vf = Critic(OBS + Z), Critic(OBS + Z)

    def critics(self) -> list[nn.Module]:
        return [self.trainer.qf1, self.trainer.qf2]

    def make_buffers(self) -> tuple[Any, Any]:
        return RlkitBuffer(self.task_ids), RlkitBuffer(self.task_ids)

    def make_agent(self) -> Any:
        return RlkitAgent()

    sample_context = None  # type: ignore[assignment]

    def collection_context(self, task: Any) -> torch.Tensor:
        return torch.as_tensor(
            self.enc_replay_buffer.sample_context(task, self.embedding_batch_size), dtype=torch.float32
        )

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        context = self.enc_replay_buffer.sample_context(tasks, self.embedding_batch_size)
        return torch.as_tensor(context, dtype=torch.float32), self.replay_buffer.sample_batch(tasks, 8)

    def evaluate(self, epoch: int) -> None:
        super().evaluate(epoch)
        self.trace.append(self.enc_replay_buffer.sample_context(list(self.task_ids), 5))


FAMILIES: dict[str, type[OysterLike]] = {cls.__name__: cls for cls in (OysterLike, RlkitLike)}
