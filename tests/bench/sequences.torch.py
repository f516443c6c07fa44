"""Parallel forms of layers along a sequence in PyTorch, for sequences.bench.ts: reads "case runs" from standard input, answers with milliseconds per step.

A step is forward and backward of the mean square of the output, 8 sequences of 1,024 places of width 64, on one thread. The forms are those of the layers' known programs: S5's and
Mamba's recurrences by Blelloch's scan over slices, as mamba.py and s5-pytorch have it, and by a loop over the places; S4D's by a Fourier transform; the fastest counts.
"""
import math, sys, time
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(0)
n, length, width = 8, 1024, 64
print(torch.__version__, flush=True)


class PScan(torch.autograd.Function):
    """h = a h + x along axis 1 by doubling in place, with the gradient by the same scan backwards."""

    @staticmethod
    def up_down(a, x):
        steps = int(math.log2(x.shape[1]))
        for k in range(steps):
            step = 2 ** (k + 1)
            half = step // 2
            left, right = slice(half - 1, None, step), slice(step - 1, None, step)
            x[:, right] = torch.addcmul(x[:, right], a[:, right], x[:, left])
            a[:, right] = a[:, right] * a[:, left]
        for k in range(steps - 2, -1, -1):
            step = 2 ** (k + 1)
            half = step // 2
            left, right = x[:, step - 1 : -half : step], slice(step + half - 1, None, step)
            x[:, right] = torch.addcmul(x[:, right], a[:, right], left)
            a[:, right] = a[:, right] * a[:, step - 1 : -half : step]

    @staticmethod
    def forward(ctx, a, x):
        h, own = x.clone(), a.clone()
        PScan.up_down(own, h)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx, dh):
        a, h = ctx.saved_tensors
        later = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1).flip(1).conj().resolve_conj()
        g = dh.flip(1).clone()
        PScan.up_down(later.clone(), g)
        g = g.flip(1)
        before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
        return g * before.conj(), g


def loop(a, x):
    h, all = torch.zeros_like(x[:, 0]), []
    for factor, term in zip(a.unbind(1), x.unbind(1)):
        h = torch.addcmul(term, factor, h)
        all.append(h)
    return torch.stack(all, 1)


def param(*shape, size=0.1):
    return torch.nn.Parameter(torch.randn(*shape) * size)


def s5(scan):
    half = 32
    log_a, step = param(half), param(half)
    b, c, d = [torch.nn.Parameter(torch.randn(*s, dtype=torch.cfloat) * 0.1) for s in ((width, half), (half, width), (width,))]
    freq = torch.nn.Parameter(torch.arange(half) * math.pi)

    def forward(u):
        lam = torch.complex(-torch.exp(log_a), freq)
        a = torch.exp(lam * torch.exp(step - 4))
        bu = u.to(torch.cfloat) @ (b * ((a - 1) / lam))
        h = scan(a.expand(n, length, half).contiguous(), bu)
        return 2 * (h @ c).real + u * d.real

    return forward, [log_a, step, b, c, d, freq]


def s4d():
    half = 32
    log_a, step = param(width, half), param(width)
    c, d = torch.nn.Parameter(torch.randn(width, half, dtype=torch.cfloat)), param(width)
    freq = torch.nn.Parameter(torch.arange(half).float().expand(width, half).clone() * math.pi)

    def forward(u):
        lam = torch.complex(-torch.exp(log_a), freq)
        dt = lam * torch.exp(step - 4)[:, None]
        weights = c * (torch.exp(dt) - 1) / lam
        kernel = 2 * torch.einsum("hn,hnl->hl", weights, torch.exp(dt[:, :, None] * torch.arange(length))).real
        x = u.transpose(1, 2)
        y = torch.fft.irfft(torch.fft.rfft(x, n=2 * length) * torch.fft.rfft(kernel, n=2 * length), n=2 * length)[..., :length]
        return y.transpose(1, 2) + u * d

    return forward, [log_a, step, c, d, freq]


def mamba(scan):
    inner, state, rank = 2 * width, 16, width // 16
    into, out = param(width, 2 * inner), param(inner, width)
    conv, conv_bias = param(inner, 1, 4), param(inner)
    select, dt, dt_bias = param(inner, rank + 2 * state), param(rank, inner), param(inner)
    log_a, d = torch.nn.Parameter(torch.log(torch.arange(1, state + 1).float()).expand(inner, state).clone()), param(inner)

    def forward(u):
        x, z = (u @ into).chunk(2, -1)
        x = F.conv1d(x.transpose(1, 2), conv, conv_bias, padding=3, groups=inner)[..., :length].transpose(1, 2)
        x = F.silu(x)
        low, b, c = (x @ select).split([rank, state, state], -1)
        delta = F.softplus(low @ dt + dt_bias)
        a = torch.exp(delta[..., None] * -torch.exp(log_a))
        bx = (delta * x)[..., None] * b[:, :, None]
        h = scan(a, bx)
        y = (h @ c[..., None]).squeeze(-1) + d * x
        return (y * F.silu(z)) @ out

    return forward, [into, out, conv, conv_bias, select, dt, dt_bias, log_a, d]


def gla():
    heads, own, chunk = 4, width // 4, 32
    projections = [param(width, width) for _ in range(5)]

    def forward(u):
        split = lambda v: v.view(n, length // chunk, chunk, heads, own).permute(0, 3, 1, 2, 4)
        q, k, v, g, o = [u @ p for p in projections]
        q, k, v = split(q), split(k), split(v)
        log = split(F.logsigmoid(g) / 16)
        total = log.cumsum(3)
        end = total[..., -1:, :]
        q_in, k_in, k_out = q * torch.exp(total), k * torch.exp(-total), k * torch.exp(end - total)
        inside = torch.tril(q_in @ k_in.transpose(-1, -2)) @ v
        adds = k_out.transpose(-1, -2) @ v
        s, before = torch.zeros_like(adds[:, :, 0]), []
        for c in range(length // chunk):
            before.append(s)
            s = s * torch.exp(end[:, :, c].transpose(-1, -2)) + adds[:, :, c]
        y = inside + q_in @ torch.stack(before, 2)
        return y.permute(0, 2, 3, 1, 4).reshape(n, length, width) * F.silu(o)

    return forward, projections


cases = {
    "s4d": [s4d()],
    "s5": [s5(PScan.apply), s5(loop)],
    "mamba": [mamba(PScan.apply), mamba(loop)],
    "gla": [gla()],
    "scan": [
        ((lambda scan: (lambda u: scan(torch.sigmoid(u), u)))(scan), []) for scan in (PScan.apply, loop)
    ],
}
u = torch.randn(n, length, width)


def once(forward, params):
    x = u.clone().requires_grad_()
    forward(x).square().mean().backward()
    for p in params:
        p.grad = None


fastest = {}
for line in sys.stdin:
    name, runs = line.split()
    if name not in fastest:
        times = []
        for forward, params in cases[name]:
            once(forward, params)
            start = time.process_time()
            once(forward, params)
            times.append(time.process_time() - start)
        fastest[name] = cases[name][times.index(min(times))]
    forward, params = fastest[name]
    start = time.process_time()
    for _ in range(int(runs)):
        once(forward, params)
    print((time.process_time() - start) * 1000 / int(runs), flush=True)
