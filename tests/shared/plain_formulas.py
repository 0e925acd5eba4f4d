"""What relabelers compute, once more: plain loops written from the papers' pseudo-code."""

from __future__ import annotations

import math

import numpy as np
import torch


class PlainFormulas:
    """HFR's and HIPI's formulas, one transition, task and sample at a time, straight from
    the network modules.
    """

    def __init__(self, algorithm, scorer):
        self.alg, self.agent, self.memory = algorithm, algorithm.agent, scorer.memory
        self.tasks = algorithm.train_tasks

    def relabel(self, path, task):
        rewards = self.alg.env.compute_rewards(path, [task])
        chosen = rewards.sparse_rewards if self.alg.sparse_rewards else rewards.rewards
        return [(s, a, r) for s, a, r in zip(path["observations"], path["actions"], chosen[0], strict=True)]

    def embed(self, transitions):
        dim = self.agent.latent_dim
        precision, weighted = torch.zeros(dim), torch.zeros(dim)
        for s, a, r in transitions:
            out = self.agent.context_encoder(torch.tensor(np.concatenate([s, a, [r]]), dtype=torch.float32))
            for i in range(dim):
                variance = max(math.log1p(math.exp(out[dim + i].item())), 1e-7)
                precision[i] += 1.0 / variance
                weighted[i] += out[i] / variance
        return weighted / precision

    def stored(self, task):
        return [[(row[:2], row[2:4], row[4]) for row in rows] for rows in self.memory.all_trajectories(task)]

    def q(self, s, a, z):
        return torch.min(self.alg.qf1(s, a, z), self.alg.qf2(s, a, z)).item()

    def hfr(self, transitions, task):
        z = self.embed(transitions)
        total, states = 0.0, self.memory._initial_obs[task].items
        for state in states:
            s = torch.tensor(state, dtype=torch.float32)
            action = torch.tanh(self.agent.policy(torch.cat([s, z]), deterministic=True).mean)
            total += self.q(s, action, z)
        return total / len(states)

    def bellman(self, transitions, task, batch):
        z, error = self.embed(transitions), 0.0
        k = self.tasks.index(task)
        for i in range(batch.obs.shape[1]):
            s, a, r, s2, d = (x[k, i] for x in batch)
            target = r * 2.0 + (1 - d) * self.alg.discount * self.alg.target_vf(s2, z)
            error += (
                (self.alg.qf1(s, a, z) - target).item() ** 2 + (self.alg.qf2(s, a, z) - target).item() ** 2
            ) / 2
        return -error / batch.obs.shape[1]

    def probs(self, path, utility, temperature=1.0, partition=True):
        scores = []
        for task in self.tasks:
            log_z = 0.0
            if partition:
                values = [utility(t, task) for t in self.stored(task)]
                top = max(values)
                mean_exp = sum(math.exp((v - top) / temperature) for v in values) / len(values)
                log_z = top + temperature * math.log(mean_exp)
            scores.append((utility(self.relabel(path, task), task) - log_z) / temperature)
        weights = [math.exp(s - max(scores)) for s in scores]
        return np.array(weights) / sum(weights)
