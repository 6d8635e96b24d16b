#include "apps/settings_train.h"

static void read_optimizer(dip_settings *s)
{
    const dip_config *c = s->config;
    s->loop.optimizer = (dip_optimizer_options){
        .kind = (dip_optimizer_kind)dip_config_choice(c, "train.optimizer"),
        .weight_decay = dip_config_float(c, "train.weight_decay"),
        .beta1 = dip_config_float(c, "train.beta1"),
        .beta2 = dip_config_float(c, "train.beta2"),
        .eps = dip_config_float(c, "train.eps"),
        .momentum = dip_config_float(c, "train.momentum"),
        .nesterov = dip_config_bool(c, "train.nesterov"),
    };
    s->loop.schedule = (dip_schedule){
        .kind = (dip_schedule_kind)dip_config_choice(c, "train.schedule"),
        .lr = dip_config_float(c, "train.lr"),
        .min_ratio = dip_config_float(c, "train.min_lr_ratio"),
        .warmup_steps = dip_config_int(c, "train.warmup_steps"),
    };
}

void dip_settings_read_loop(dip_settings *s)
{
    const dip_config *c = s->config;
    read_optimizer(s);
    s->epochs = dip_config_int(c, "train.epochs");
    s->batch_size = dip_config_int(c, "train.batch_size");
    s->loop.accumulate = dip_config_int(c, "train.accumulate");
    s->loop.clip_grad_norm = dip_config_float(c, "train.clip_grad_norm");
    s->loop.ema =
        (dip_ema_options){.decay = dip_config_float(c, "train.ema.decay"),
                          .warmup = dip_config_bool(c, "train.ema.warmup")};
    s->loop.validate_every = dip_config_int(c, "train.validate_every");
    s->loop.checkpoint_every = dip_config_int(c, "train.checkpoint_every");
    s->loop.patience = dip_config_int(c, "train.patience");
    s->device = dip_config_choice(c, "train.device");
    s->threads = (int)dip_config_int(c, "train.threads");
    s->keep_last = dip_config_int(c, "train.keep_last");
    s->log_every = dip_config_int(c, "train.log_every");
    s->metric = dip_config_string(c, "train.metric");
}

void dip_settings_read_towers_training(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_tuning_options *t = &s->loop.optimizer.tuning;
    t->freeze_count = dip_config_strings(&t->freeze, c, "freeze");
    t->unlock_after = dip_config_int(c, "train.unlock_after");
    t->layer_decay = dip_config_float(c, "train.layer_decay");
    t->image_rate = t->text_rate = 1;
    s->precision = dip_config_choice(c, "train.precision");
    s->loader_threads = (int)dip_config_int(c, "train.loader_threads");
    s->feature_cache = dip_config_string(c, "train.feature_cache");
}

void dip_settings_read_train(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_tuning_options *t = &s->loop.optimizer.tuning;
    dip_settings_read_loop(s);
    dip_settings_read_towers_training(s);
    t->image_rate = dip_config_float(c, "train.lr_scale.image");
    t->text_rate = dip_config_float(c, "train.lr_scale.text");
    s->field_dropout = dip_config_float(c, "train.field_dropout");
    s->hard_negatives = dip_config_string(c, "train.hard_negatives");
    s->grad_cache = dip_config_int(c, "train.grad_cache");
    s->loop.channels_last = dip_config_bool(c, "train.channels_last");
}
