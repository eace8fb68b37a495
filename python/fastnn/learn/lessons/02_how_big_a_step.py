"""How big a step? 10 minutes. After: 1."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="2. How big a step?")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 2. How big a step?

    Lesson 1 walked down a round bowl, in steps of rate times gradient, with a rate that fell from
    the sky. How large should the rate be? And how many people must one ask for a single step?
    There are two answers, and both are numbers that you can compute.

    10 minutes. You need lesson 1; an eigenvalue is explained where it comes up.
    """)
    return


@app.cell
def data(mo, np):
    from sklearn.datasets import load_diabetes

    _people = load_diabetes(scaled=False)
    x = (_people.data[:, 2:3] - 20) / 5
    y = _people.target[:, np.newaxis] / 100
    inputs = np.hstack([x, np.ones_like(x)])
    best = np.linalg.lstsq(inputs, y, rcond=None)[0].ravel()
    mo.md(f"""
    ## The data

    The {len(x)} people of lesson 1, and the same line: prediction = slope * x + bias. Only x is
    counted differently: as body mass index above 20, in units of 5 kg/m². That is a sensible way
    to count. But now the bowl of the loss is no longer round: it is a long valley, because a
    higher slope can be made up for by a lower bias.
    """)
    return best, inputs, x, y


@app.cell
def question(mo):
    in_between = "It gets faster up to a point; beyond it, the loss grows without bound."
    prediction = mo.ui.radio(
        options=[
            "It gets faster and faster.",
            in_between,
            "It gets faster, but the model overfits more.",
        ],
        label="**Predict first.** You make the rate larger and larger. What happens to training?",
    )
    prediction
    return in_between, prediction


@app.cell
def sliders(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    _rates = [0.01, 0.03, 0.1, 0.2, 0.25, 0.29, 0.3, 0.31, 0.32, 0.33]
    rate = mo.ui.slider(steps=_rates, value=0.03, label="rate", show_value=True)
    batch = mo.ui.slider(steps=[4, 16, 64, 442], value=442, label="batch", show_value=True)
    _text = mo.md("""
    ## Walk down the valley

    Twelve epochs, whatever the batch. Find the fastest rate with a batch of 442, which is
    everybody. Then go one notch further. Then go back, and make the batch smaller.
    """)
    mo.vstack([_text, mo.hstack([rate, batch], justify="start", gap=2, wrap=True)])
    return batch, rate


@app.cell
def walking(best, fastnn, inputs, np, x, y):
    def new_model(rate, n_inputs=1, use_bias=True):
        model = fastnn.Sequential(
            [fastnn.layers.Dense(1, use_bias=use_bias, kernel_initializer="zeros")],
            input_shape=n_inputs,
            dtype="float64",
            seed=0,
        )
        return model.compile(optimizer=fastnn.optimizers.SGD(rate), loss="mse")

    def losses(path):
        """Return the loss over all people at each (slope, bias) of a path."""
        return np.mean((path @ inputs.T - y.T) ** 2, axis=1)

    def walk(rate, batch, epochs):
        """Return (slope, bias) before and after each step, until the loss has left the valley."""
        model = new_model(rate)
        path = [np.zeros(2)]
        for _ in range(epochs * -(-len(x) // batch)):
            model.train_steps(1, x, y, batch_size=batch)
            path.append(np.ravel([weight.item() for weight in model.get_weights()]))
            if np.abs(path[-1]).max() > 1e6:
                break
        return np.array(path)

    least = losses(best[np.newaxis])[0]
    return least, losses, new_model, walk


@app.cell
def picture_valley(batch, best, least, lesson, losses, np, rate, walk, x):
    _path = walk(rate.value, batch.value, 12)
    _loss = losses(_path)
    _slopes, _biases = np.meshgrid(np.linspace(-0.6, 1.6, 45), np.linspace(-0.6, 2, 45))
    _bowl = losses(np.column_stack([_slopes.ravel(), _biases.ravel()])).reshape(_slopes.shape)
    _end = f"After {len(_path) - 1} steps: {_loss[-1]:.4g}"

    def _draw(valley, curve):
        valley.contour(_slopes, _biases, _bowl, least + np.geomspace(0.01, 6, 12), cmap="Greys_r")
        valley.plot(*_path.T, "o-", color=lesson.ORANGE, markersize=3, linewidth=1)
        valley.plot(*best, "*", color=lesson.BLUE, markersize=12)
        valley.set(xlim=(-0.6, 1.6), ylim=(-0.6, 2), xlabel="slope", ylabel="bias")
        valley.set_title("The way through the valley")
        _epochs = np.arange(len(_path)) / -(-len(x) // batch.value)
        curve.plot(_epochs, _loss, color=lesson.ORANGE)
        curve.axhline(least, color=lesson.BLUE, linestyle="--", label=f"least: {least:.4f}")
        curve.legend()
        curve.set(xlabel="epochs", ylabel="loss", yscale="log", title=_end)
        _ticks = [0.4, 1, 4, 10, 100, 1e3, 1e4, 1e5, 1e6]
        curve.set_yticks(_ticks, [f"{tick:g}" for tick in _ticks])
        curve.set_yticks([], minor=True)
        curve.set_ylim(0.3, max(5, min(_loss.max(), 1e6)))

    lesson.figure(
        _draw,
        alt=f"Left: the long valley of the loss, with the way from zero towards the lowest point, "
        f"a star. Right: the loss over 12 epochs. {_end}, the least is {least:.4f}.",
        columns=2,
    )
    return


@app.cell
def answer(in_between, lesson, mo, prediction):
    lesson.reveal(
        mo,
        prediction,
        in_between,
        """Up to 0.25 every notch is faster. At 0.31 the walk jumps from wall to wall and hardly
        comes down. At 0.32 each jump lands higher than the last. Overfitting has nothing to do
        with it: this is about *reaching* the lowest point.""",
    )
    return


@app.cell
def curvature(inputs, mo, np, x):
    hessian = 2 * inputs.T @ inputs / len(inputs)
    eigenvalues = np.linalg.eigvalsh(hessian)
    limit = 2 / eigenvalues[-1]
    _standard = np.hstack([(x - x.mean()) / x.std(), np.ones_like(x)])
    round_curvatures = np.linalg.eigvalsh(2 * _standard.T @ _standard / len(x))
    mo.md(f"""
    ## The limit is a number

    Along one direction of the valley the loss is a parabola. Its **curvature** c is the second
    derivative, and at a distance d from the lowest point the gradient is c * d. So a step is

    ```
    d - rate * c * d   =   (1 - rate * c) * d
    ```

    Every step multiplies the distance by the same factor. It shrinks as long as the factor lies
    between -1 and 1, that is, as long as **rate < 2 / c**.

    A valley has many directions. The second derivatives of the loss form a matrix, the
    **Hessian**; its eigenvalues are the curvatures along the walls and along the floor:
    **{eigenvalues[-1]:.2f}** for the steepest wall, **{eigenvalues[0]:.2f}** for the floor. One
    rate must do for both. The wall sets the limit, 2 / {eigenvalues[-1]:.2f} = **{limit:.4f}**,
    and the floor waits: at a rate of 0.1 the distance along it shrinks by a factor of only
    {1 - 0.1 * eigenvalues[0]:.2f} a step. Their ratio, {eigenvalues[-1] / eigenvalues[0]:.0f}, is
    the **condition number**: how long the valley is. Counting x in standard deviations from its
    mean, as lesson 1 did, makes both curvatures 2, and a rate of 1/2 is there in one step.
    """)
    return eigenvalues, hessian, limit, round_curvatures


@app.cell
def break_it(mo):
    beyond = mo.ui.switch(label="1.05 times the limit")
    mo.vstack([mo.md("## Break it\n\nGo over the limit by a twentieth."), beyond])
    return (beyond,)


@app.cell
def both_sides(limit, losses, walk, x):
    below, above = (losses(walk(share * limit, len(x), 400)) for share in (0.95, 1.05))
    return above, below


@app.cell
def what_broke(above, below, beyond, mo):
    mo.stop(not beyond.value)
    _rows = "\n    ".join(f"| {n} | {below[n]:.4f} | {above[n]:.4g} |" for n in (0, 10, 50, 100))
    mo.md(f"""
    | step | loss at 0.95 times the limit | loss at 1.05 times the limit |
    | --- | --- | --- |
    {_rows}

    A tenth of difference in the rate, and one walk arrives while the other flies off. Growth by a
    constant factor looks harmless for some steps. **If the loss of a training run rises from step
    to step, make the rate smaller before you look for anything else.**
    """)
    return


@app.cell
def library_title(mo):
    mo.md("""
    ## In the library

    The rate is an argument of the optimizer, the batch one of `fit`.
    """)
    return


@app.cell
def library(fastnn, mo, x, y):
    model = fastnn.Sequential(
        [fastnn.layers.Dense(1, kernel_initializer="zeros")],
        input_shape=1,
        dtype="float64",
        seed=0,
    )
    model.compile(optimizer=fastnn.optimizers.SGD(0.1), loss="mse")
    model.fit(x, y, epochs=50, batch_size=len(x), verbose=0)
    learnt = [weight.item() for weight in model.get_weights()]
    mo.show_code(f"slope {learnt[0]:.6f}, bias {learnt[1]:.6f}", position="above")
    return (learnt,)


@app.cell
def plain_python_title(mo):
    mo.md("""
    ## The same in plain Python

    For a mean of squared errors the Hessian is the same everywhere. So the gradient at any place
    is the Hessian times the way from the lowest point: the walk can do without the people.
    """)
    return


@app.cell
def plain_python(best, hessian, mo, np):
    place = np.zeros(2)
    for _ in range(50):
        gradient = hessian @ (place - best)
        place = place - 0.1 * gradient
    mo.show_code(f"slope {place[0]:.6f}, bias {place[1]:.6f}", position="above")
    return (place,)


@app.cell
def batches(best, fastnn, losses, mo, new_model, np, walk, x, y):
    def gradients_of(batch, draws):
        """Return the library's gradient at the best line for batches of people drawn at random."""
        model = fastnn.Sequential([fastnn.layers.Dense(1)], input_shape=1, dtype="float64")
        model.compile(loss="mse").set_weights([[[best[0]]], [best[1]]])
        random = np.random.default_rng(0)
        rows = random.integers(0, len(x), (draws, batch))
        found = [model.gradients(x[chosen], y[chosen])[1].values() for chosen in rows]
        return np.array([[part.item() for part in parts] for parts in found])

    noise = {batch: gradients_of(batch, 2000).var(axis=0).sum() for batch in (4, 16, 64)}
    walks = {(r, n): losses(walk(r, n, 12))[-1] for r in (0.03, 0.25) for n in (4, 442)}
    _rows = "\n    ".join(f"| {batch} | {found:.4f} |" for batch, found in noise.items())
    _once, _twice = (
        np.array([part.item() for part in new_model(0.1).gradients(*people)[1].values()])
        for people in ((x, y), (np.vstack([x, x]), np.vstack([y, y])))
    )
    redundancy = np.abs(_once - _twice).max()
    mo.md(f"""
    ## How many people for a step?

    All of them (*batch gradient descent*), one (*stochastic gradient descent*), or a few
    (*mini-batches*). A few people give the right gradient on average, with noise. We drew 2,000
    batches at the best line, where the true gradient is 0, and measured their variance:

    | batch | variance of the gradient |
    | --- | --- |
    {_rows}

    Four times the people, a quarter of the variance, **half** the error: the mean of n draws has an
    n-th of the variance of one. So the first few people tell you most, and twelve epochs are 12
    steps with everybody but 1,332 steps with 4. At a rate of 0.03, batches of 4 come to
    {walks[0.03, 4]:.3f}, and everybody to {walks[0.03, 442]:.3f}.

    But small batches never come to rest, as near the lowest point only the noise is left. At 0.25
    they end at {walks[0.25, 4]:.3f}, and everybody at {walks[0.25, 442]:.3f}. A smaller rate, or
    one that falls while training, quiets the noise.

    **Redundancy** makes this stronger. If every person were in the data twice, the gradient of
    everybody would be the same and cost twice as much; a batch of 16 would cost what it did.
    """)
    return noise, redundancy, walks


@app.cell
def live_sliders(mo):
    _rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
    live_rate = mo.ui.slider(steps=_rates, value=0.01, label="rate", show_value=True)
    live_batch = mo.ui.slider(steps=[1, 4, 16, 64, 256], value=16, label="batch", show_value=True)
    _text = mo.md("""
    ## Live: a network

    A network of two hidden layers learns to tell two moons apart. Its valley changes its shape at
    every step, so no formula gives the limit: one tries. Move the sliders **while it learns**, one
    notch at a time. At which rate does the loss begin to tremble? At which one does the network
    forget what it knew? What does a batch of 1 do, and one of 256? Reset starts again.
    """)
    _sliders = mo.hstack([live_rate, live_batch], justify="start", gap=2, wrap=True)
    mo.vstack([_text, _sliders])
    return live_batch, live_rate


@app.cell
def picture_live(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    from fastnn.learn.live import LiveView

    view = LiveView(
        {"data": "moons", "noise": 0.8, "optimizer": "sgd", "speed": 1000},
        show=["loss", "boundary"],
        running=True,
    )
    view
    return (view,)


@app.cell
def picture_live_settings(live_batch, live_rate, view):
    view.set({"learning_rate": live_rate.value, "batch_size": live_batch.value})
    return


@app.cell
def saddle(mo):
    def leave(start, rate=0.1):
        """Return the steps until |v| > 1 on the loss u² - v², from u = 1 and v = start."""
        u, v, steps = 1.0, start, 0
        while abs(v) < 1 and steps < 1000:
            u, v, steps = u - rate * 2 * u, v + rate * 2 * v, steps + 1
        return steps

    ridge = {"on it": leave(0.0), "beside it": leave(1e-6)}
    mo.md(f"""
    ## Where the gradient is zero and nothing is won

    A network's loss has places that are a valley in one direction and a ridge in another:
    **saddles**, such as u² - v² at (0, 0). The gradient is zero there, but it is no minimum: the
    Hessian has a negative eigenvalue. Start exactly on the ridge, at u = 1 and v = 0, and gradient
    descent walks to the saddle and stays, for {ridge["on it"]:,} steps and for ever. Start a
    millionth beside it, and it has left after {ridge["beside it"]} steps, since v grows by a factor
    of 1.2 a step. The noise of batches is such a nudge.
    """)
    return (ridge,)


@app.cell
def mistake(mo, new_model, np, x, y):
    _order = np.random.default_rng(0).permutation(len(x))
    _train, _test = _order[:300], _order[300:]
    gaps = {}
    for _rate in (0.05, 0.25):
        _model = new_model(_rate)
        _model.fit(x[_train], y[_train], epochs=1500, batch_size=300, verbose=0)
        gaps[_rate] = [_model.evaluate(x[rows], y[rows])["loss"] for rows in (_train, _test)]
    mo.md(f"""
    ## Spot the mistake

    > "A high learning rate leads to overfitting."

    The risk of a high rate is *divergence*. We trained on 300 people and tested on the other 142,
    both times to the end:

    | rate | loss of training | loss of test |
    | --- | --- | --- |
    | 0.05 | {gaps[0.05][0]:.6f} | {gaps[0.05][1]:.6f} |
    | 0.25 | {gaps[0.25][0]:.6f} | {gaps[0.25][1]:.6f} |

    The same line, the same gap. The rate decides how one gets to the lowest point, and whether.
    In a network, which has many low points, it also has a say in *which* one; but "higher, hence
    more overfitting" is no rule there either.
    """)
    return (gaps,)


@app.cell
def exercise_1(lesson, mo):
    exercise_1 = lesson.Exercise(
        "2.1",
        "The loss is 5 * (w - 3)². Gradient descent converges for every rate below which number?",
        answer=2 / (2 * 5),
        tolerance=1e-3,
        hint="The curvature is the second derivative of the loss by w.",
        why="The second derivative is 10, and 2 / 10 = 0.2.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(lesson, mo, noise):
    _given = round(noise[16], 3)
    exercise_2 = lesson.Exercise(
        "2.2",
        f"With batches of 16 the variance of the gradient is {_given}. Which batch brings it to"
        f" about {_given / 8:.3f}?",
        answer=16 * 8,
        hint="By which factor must the variance fall, and how does it depend on the batch?",
        why="An eighth of the variance takes eight times the people. The error falls by 2.8 only.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def read_on(mo):
    mo.md("""
    To read on: L. Bottou, F. Curtis, J. Nocedal,
    [Optimization methods for large-scale machine learning](https://arxiv.org/abs/1606.04838),
    sections 3 and 4.
    """)
    return


@app.cell
def facts(
    above,
    below,
    gaps,
    learnt,
    least,
    lesson,
    noise,
    np,
    place,
    redundancy,
    ridge,
    round_curvatures,
    walks,
):
    fact = lesson.Fact
    facts = [
        fact("at 0.95 of the limit, the last loss above the least", below[-1] - least, "<", 1e-9),
        fact("at 1.05 of the limit, the last loss over the first", above[-1] / above[0], ">", 1e6),
        fact("standardised, curvatures are 2 but for", np.ptp([*round_curvatures, 2]), "<", 1e-9),
        fact("variance of the gradient, batch 16 over 4", noise[16] / noise[4], "in", (0.2, 0.3)),
        fact("variance of the gradient, batch 64 over 16", noise[64] / noise[16], "in", (0.2, 0.3)),
        fact("at 0.03, batches of 4 gain on all", walks[0.03, 442] - walks[0.03, 4], ">", 0.05),
        fact("at 0.25, batches of 4 lose to all", walks[0.25, 4] - walks[0.25, 442], ">", 0.05),
        fact("with everybody twice, the gradient changes by", redundancy, "<", 1e-12),
        fact("plain Python and library differ by", np.abs(place - learnt).max(), "<", 1e-12),
        fact(
            "rate 0.25 for 0.05: losses change by",
            np.ptp([*gaps.values()], axis=0).max(),
            "<",
            1e-6,
        ),
        fact("steps on the ridge of a saddle, of 1000", ridge["on it"], "==", 1000),
        fact("steps beside it until it is left", ridge["beside it"], "<", 100),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
